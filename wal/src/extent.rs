//! What the segments of a directory say of each other: how much of each counts, and which are missing.

use std::collections::VecDeque;

use crate::Position;
use crate::segment::Heading;

/// How much of a segment counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It is the last one: to its last valid fragment.
    Open,
    /// A later segment says: to this offset.
    Until(u64),
    /// It is not the last one, and none says.
    Whole,
}

/// A segment that is still to be read.
#[derive(Debug)]
pub(crate) struct Listed {
    pub number: u64,
    pub extent: Extent,
    /// The end of the segment that should stand before it and is not there.
    pub missing: Option<Position>,
}

/// What the headings of a directory's segments say of each other.
pub(crate) fn listed(headings: &[(u64, Heading)]) -> VecDeque<Listed> {
    let segment = |(index, &(number, heading)): (usize, &(u64, Heading))| {
        let mut extent = Extent::Open;
        for (_, later) in &headings[index + 1..] {
            extent = match (later, extent) {
                (Heading::Short, _) => extent,
                (Heading::Valid { after }, _) if after.segment <= number => {
                    let end = if after.segment == number {
                        after.offset
                    } else {
                        0
                    };
                    Extent::Until(if let Extent::Until(least) = extent {
                        least.min(end)
                    } else {
                        end
                    })
                }
                (_, Extent::Open) => Extent::Whole,
                _ => extent,
            };
        }
        let missing = match (
            index.checked_sub(1).map(|before| headings[before].0),
            heading,
        ) {
            (Some(before), Heading::Valid { after })
                if before < after.segment && after.segment < number =>
            {
                Some(after)
            }
            _ => None,
        };
        Listed {
            number,
            extent,
            missing,
        }
    };
    headings.iter().enumerate().map(segment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents(headings: &[(u64, Heading)]) -> Vec<Extent> {
        listed(headings)
            .into_iter()
            .map(|segment| segment.extent)
            .collect()
    }

    fn valid(segment: u64, offset: u64) -> Heading {
        Heading::Valid {
            after: Position::new(segment, offset),
        }
    }

    #[test]
    fn a_segment_counts_as_far_as_any_later_one_says() {
        let plain = [(1, valid(0, 0)), (2, valid(1, 100)), (3, valid(2, 200))];
        assert_eq!(
            extents(&plain),
            [Extent::Until(100), Extent::Until(200), Extent::Open]
        );
        // A failed sync went back behind all of segment 2.
        let failed = [(1, valid(0, 0)), (2, valid(1, 100)), (3, valid(1, 60))];
        assert_eq!(
            extents(&failed),
            [Extent::Until(60), Extent::Until(0), Extent::Open]
        );
    }

    #[test]
    fn a_later_file_that_says_nothing_still_makes_a_segment_not_the_last() {
        for later in [Heading::Damaged, Heading::Unsupported { version: 2 }] {
            assert_eq!(
                extents(&[(1, valid(0, 0)), (2, later)]),
                [Extent::Whole, Extent::Open]
            );
        }
        assert_eq!(
            extents(&[(1, valid(0, 0)), (2, Heading::Short)]),
            [Extent::Open, Extent::Open]
        );
    }

    #[test]
    fn a_gap_is_noticed_only_behind_an_older_segment() {
        let gap = listed(&[(1, valid(0, 0)), (3, valid(2, 200))]);
        assert_eq!(gap[1].missing, Some(Position::new(2, 200)));
        assert_eq!(listed(&[(3, valid(2, 200))])[0].missing, None);
        // Number 2 was never written to.
        assert_eq!(
            listed(&[(1, valid(0, 0)), (3, valid(1, 90))])[1].missing,
            None
        );
    }
}
