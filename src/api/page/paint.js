// Points as pixels. A hundred thousand shapes are too many for a canvas' own paths at every turn of a wheel, so each kind
// of mark is made once, and its pixels are put where the points are.

/** Marks have shapes besides colours, for whoever does not tell those apart. */
export const SHAPES = ["circle", "square", "triangle", "diamond", "down", "cross", "plus", "bar", "dot"];

function draw(context, shape, r) {
  context.beginPath();
  if (shape === "circle" || shape === "ring") context.arc(0, 0, r, 0, 7);
  if (shape === "dot") context.arc(0, 0, r * 0.75, 0, 7);
  if (shape === "square") context.rect(-r * 0.88, -r * 0.88, r * 1.76, r * 1.76);
  if (shape === "triangle" || shape === "down") {
    const up = shape === "triangle" ? 1 : -1;
    context.moveTo(0, -r * 1.15 * up);
    context.lineTo(r * 1.1, r * 0.85 * up);
    context.lineTo(-r * 1.1, r * 0.85 * up);
  }
  if (shape === "diamond") {
    context.moveTo(0, -r * 1.25);
    context.lineTo(r * 1.1, 0);
    context.lineTo(0, r * 1.25);
    context.lineTo(-r * 1.1, 0);
  }
  if (shape === "bar") context.rect(-r * 0.45, -r * 1.3, r * 0.9, r * 2.6);
  if (shape === "cross" || shape === "plus") {
    if (shape === "cross") context.rotate(Math.PI / 4);
    context.rect(-r * 1.2, -r * 0.4, r * 2.4, r * 0.8);
    context.rect(-r * 0.4, -r * 1.2, r * 0.8, r * 2.4);
  }
  context.closePath();
  if (shape === "ring") {
    context.lineWidth = r * 0.6;
    context.stroke();
  } else {
    context.fill();
  }
}

/** A mark on a canvas, around a place. */
export function mark(context, shape, x, y, radius, colour) {
  context.save();
  context.translate(x, y);
  context.fillStyle = colour;
  context.strokeStyle = colour;
  draw(context, shape, radius);
  context.restore();
}

/** The pixels of a mark that are not empty: how far each is from the middle, its colour, and how much it covers. */
export function stamp(shape, radius, colour, alpha) {
  const half = Math.ceil(radius * 1.3) + 1;
  const size = 2 * half + 1;
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  mark(context, shape, half + 0.5, half + 0.5, radius, colour);
  const { data } = context.getImageData(0, 0, size, size);
  const pixels = [];
  for (let at = 0; at < size * size; at += 1) {
    const cover = Math.round((data[4 * at + 3] * alpha * 256) / 255);
    if (cover > 8) pixels.push([(at % size) - half, Math.floor(at / size) - half, cover]);
  }
  const column = (index, Kind) => Kind.from(pixels, (pixel) => pixel[index]);
  const [red, green, blue] = rgb(colour);
  return { half, red, green, blue, dx: column(0, Int16Array), dy: column(1, Int16Array), cover: column(2, Uint16Array) };
}

function rgb(colour) {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

/** Puts a stamp's pixels over those of a picture (32 bits each, little-endian, no transparency). */
export function put(picture, width, height, stamp, x, y) {
  const { half, red, green, blue, dx, dy, cover } = stamp;
  const inside = x >= half && y >= half && x < width - half && y < height - half;
  for (let at = 0; at < cover.length; at += 1) {
    const [px, py] = [x + dx[at], y + dy[at]];
    if (!inside && (px < 0 || py < 0 || px >= width || py >= height)) continue;
    const place = py * width + px;
    const under = picture[place];
    const over = cover[at];
    const left = 256 - over;
    const r = ((under & 255) * left + red * over) >> 8;
    const g = (((under >> 8) & 255) * left + green * over) >> 8;
    const b = (((under >> 16) & 255) * left + blue * over) >> 8;
    picture[place] = 0xff000000 | (b << 16) | (g << 8) | r;
  }
}
