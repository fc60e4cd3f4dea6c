// Where a GeoJSON geometry lies, and the one point that stands for it.

/** @typedef {[number, number]} Spot */

/** @param {any} coordinates @returns {Spot[]} */
const spots = (coordinates) => (typeof coordinates[0] === 'number' ? [coordinates] : coordinates.flatMap(spots));

/** @param {any} geometry @returns {Spot[]} */
const corners = (geometry) => geometry.geometries?.flatMap(corners) ?? spots(geometry.coordinates);

/** West, south, east, north. @param {any} geometry @returns {[number, number, number, number]} */
export function bounds(geometry) {
  const all = corners(geometry);
  const [x, y] = [all.map((spot) => spot[0]), all.map((spot) => spot[1])];
  const least = (/** @type {number[]} */ values) => values.reduce((a, b) => Math.min(a, b));
  const most = (/** @type {number[]} */ values) => values.reduce((a, b) => Math.max(a, b));
  return [least(x), least(y), most(x), most(y)];
}

/**
 * Twice the area of a ring, and its centre. Seen from its first corner: a few square metres are nothing beside degrees.
 * @param {Spot[]} ring
 */
function middle(ring) {
  const [west, south] = ring[0];
  let [area, x, y] = [0, 0, 0];
  for (let at = 0; at + 1 < ring.length; at++) {
    const [[x1, y1], [x2, y2]] = [ring[at], ring[at + 1]].map(([lon, lat]) => [lon - west, lat - south]);
    const cross = x1 * y2 - x2 * y1;
    area += cross;
    x += (x1 + x2) * cross;
    y += (y1 + y2) * cross;
  }
  return { area: Math.abs(area), at: /** @type {Spot} */ (area ? [west + x / (3 * area), south + y / (3 * area)] : ring[0]) };
}

/** The point that stands for it: of ground the middle of its largest part. @param {any} geometry @returns {Spot} */
export function anchor(geometry) {
  const { type, coordinates } = geometry;
  if (type === 'Polygon') return middle(coordinates[0]).at;
  if (type === 'MultiPolygon') {
    return coordinates.map((/** @type {Spot[][]} */ polygon) => middle(polygon[0])).reduce((/** @type {any} */ a, /** @type {any} */ b) => (b.area > a.area ? b : a)).at;
  }
  const all = corners(geometry);
  return all[Math.floor(all.length / 2)];
}
