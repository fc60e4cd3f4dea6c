// Names of sub-districts, each once, in its middle.
import { get } from '../api.js';

/** Twice the area of a ring, and its centre. @param {number[][]} ring */
function middle(ring) {
  let [area, x, y] = [0, 0, 0];
  for (let at = 0; at + 1 < ring.length; at++) {
    const [[x1, y1], [x2, y2]] = [ring[at], ring[at + 1]];
    const cross = x1 * y2 - x2 * y1;
    area += cross;
    x += (x1 + x2) * cross;
    y += (y1 + y2) * cross;
  }
  return { area: Math.abs(area), at: [x / (3 * area), y / (3 * area)] };
}

/** @param {any} map */
export async function nameSubdistricts(map) {
  const { features } = await get('/v1/layers/subdistricts.geojson');
  const points = features.map((/** @type {any} */ { geometry, properties }) => {
    const parts = geometry.coordinates.map((/** @type {number[][][]} */ polygon) => middle(polygon[0]));
    const largest = parts.reduce((/** @type {any} */ a, /** @type {any} */ b) => (b.area > a.area ? b : a));
    return { type: 'Feature', geometry: { type: 'Point', coordinates: largest.at }, properties: { name: properties.name } };
  });
  map.getSource('names').setData({ type: 'FeatureCollection', features: points });
}
