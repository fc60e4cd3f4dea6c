// Findings on the map: a mark for each, the ground that is meant, and what the chosen one is about.
import { SEVERITIES } from '../severity.js';
import { state } from '../state.js';
import { anchor } from './geometry.js';
import { LETTERS } from './pin-layer.js';

/** What is drawn now. @type {unknown[]} */
let drawn = [];

/** @param {any} geometry @param {any} properties */
const feature = (geometry, properties) => ({ type: 'Feature', geometry, properties });

/** @param {any} finding */
function features({ id, severity, geometry }) {
  if (!geometry) return [];
  const chosen = id === state.finding;
  const spot = geometry.type === 'Point';
  const properties = { finding: id, severity, chosen, rank: chosen ? 1 : -SEVERITIES.indexOf(severity) };
  const mark = feature({ type: 'Point', coordinates: anchor(geometry) }, { ...properties, kind: 'mark', ringed: spot && chosen });
  return spot ? [mark] : [feature(geometry, { ...properties, kind: 'ground' }), mark];
}

/** Its covers and grids, as far as they are read; lettered where there are several. @param {any} finding */
function things({ subjects }) {
  const lettered = subjects.length > 1;
  const known = subjects.map((/** @type {any} */ { href }) => state.things.get(href));
  const lons = known.flatMap((/** @type {any} */ thing) => thing?.position?.lon ?? []);
  return known.flatMap((/** @type {any} */ thing, /** @type {number} */ nth) => {
    const letter = lettered ? { letter: LETTERS[nth] } : {};
    if (thing?.geometry) {
      const middle = { type: 'Point', coordinates: anchor(thing.geometry) };
      return [feature(thing.geometry, { kind: 'grid' }), feature(middle, { kind: 'letter', ...letter })];
    }
    if (!thing?.position) return [];
    const { lon, lat } = thing.position;
    const side = lon === Math.min(...lons) ? 'west' : 'east';
    return [feature({ type: 'Point', coordinates: [lon, lat] }, { kind: 'cover', side, ...letter })];
  });
}

/** @param {any} map */
export function drawFindings(map) {
  const source = map.getSource('findings');
  if (!source) return;
  const items = (state.view === 'quality' && state.findings?.items) || null;
  const now = [items, state.finding, state.things];
  if (now.every((part, nth) => part === drawn[nth])) return;
  const moved = now[0] !== drawn[0] || now[1] !== drawn[1];
  drawn = now;
  const chosen = items?.find((one) => one.id === state.finding);
  const set = (/** @type {any} */ to, /** @type {any[]} */ all) => to.setData({ type: 'FeatureCollection', features: all });
  if (moved) set(source, items?.flatMap(features) ?? []);
  set(map.getSource('finding'), chosen ? things(chosen) : []);
}
