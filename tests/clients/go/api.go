package main

import (
	"context"
	"errors"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// What a call came to: the kind of its error, or what the library made of the answer. Messages have ports in them.
func outcome(result any, err error) any {
	var refused *v1.Error
	if errors.As(err, &refused) {
		return map[string]any{"errorType": refused.Type}
	}
	if err != nil {
		return map[string]any{"error": "no answer that can be read"}
	}
	return result
}

// Calls everything that only reads, less QueryExemplars.
func reads(ctx context.Context, api v1.API, query string, start, end time.Time) map[string]any {
	all := map[string]any{}
	add := func(name string, result any, err error) { all[name] = outcome(result, err) }
	matches := []string{`{__name__!=""}`}

	value, _, err := api.Query(ctx, query, end)
	add("Query", value, err)
	wrong, _, err := api.Query(ctx, ")", end)
	add("Query of nothing", wrong, err)
	matrix, _, err := api.QueryRange(ctx, query, v1.Range{Start: start, End: end, Step: 5 * time.Second})
	add("QueryRange", matrix, err)
	names, _, err := api.LabelNames(ctx, matches, start, end)
	add("LabelNames", names, err)
	values, _, err := api.LabelValues(ctx, "__name__", nil, start, end)
	add("LabelValues", values, err)
	series, _, err := api.Series(ctx, matches, start, end)
	add("Series", series, err)
	metadata, err := api.Metadata(ctx, "", "")
	add("Metadata", metadata, err)
	alerts, err := api.Alerts(ctx)
	add("Alerts", alerts, err)
	rules, err := api.Rules(ctx)
	add("Rules", rules, err)
	managers, err := api.AlertManagers(ctx)
	add("AlertManagers", managers, err)
	targets, err := api.Targets(ctx)
	add("Targets", targets, err)
	described, err := api.TargetsMetadata(ctx, "", "", "")
	add("TargetsMetadata", described, err)
	config, err := api.Config(ctx)
	add("Config", config, err)
	flags, err := api.Flags(ctx)
	add("Flags", flags, err)
	build, err := api.Buildinfo(ctx)
	add("Buildinfo", build, err)
	runtime, err := api.Runtimeinfo(ctx)
	add("Runtimeinfo", runtime, err)
	tsdb, err := api.TSDB(ctx)
	add("TSDB", tsdb, err)
	replay, err := api.WalReplay(ctx)
	add("WalReplay", replay, err)
	return all
}

// Calls everything that changes something.
func writes(ctx context.Context, api v1.API, start, end time.Time) map[string]any {
	_, snapshot := api.Snapshot(ctx, false)
	return map[string]any{
		"CleanTombstones": outcome("done", api.CleanTombstones(ctx)),
		"DeleteSeries":    outcome("done", api.DeleteSeries(ctx, []string{`{__name__!=""}`}, start, end)),
		"Snapshot":        outcome("done", snapshot),
	}
}
