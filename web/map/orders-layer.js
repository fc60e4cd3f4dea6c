// Open orders on the map: one small source, changed feature by feature; and how many each grid has.
import { state } from '../state.js';
import { ALL, shown } from '../status.js';

/** What is drawn now, by code. @type {Map<string, string>} */
const drawn = new Map();
/** @type {Map<string, number>} */
let counted = new Map();
/** Findings have the map for themselves. */
let hidden = false;

/** @param {any} order */
function properties(order) {
  const state_ = shown(order);
  return { code: order.code, shown: state_, rank: ALL.length - ALL.indexOf(state_), chosen: order.code === state.order };
}

/** @param {any} map */
export function drawOrders(map) {
  const source = map?.getSource('orders');
  if (!source) return;
  const diff = { add: /** @type {any[]} */ ([]), remove: /** @type {string[]} */ ([]) };
  for (const order of state.orders.values()) {
    const now = properties(order);
    const [text, { lon, lat }] = [JSON.stringify([now, order.position]), order.position];
    if (drawn.get(order.code) === text) continue;
    drawn.set(order.code, text);
    diff.add.push({ type: 'Feature', geometry: { type: 'Point', coordinates: [lon, lat] }, properties: now });
  }
  for (const code of drawn.keys()) {
    if (state.orders.has(code)) continue;
    drawn.delete(code);
    diff.remove.push(code);
  }
  // Adding a feature whose id is there replaces it.
  if (diff.add.length || diff.remove.length) source.updateData(diff);
  const away = state.view === 'quality';
  if (away !== hidden) {
    for (const layer of ['orders', 'order-here']) map.setLayoutProperty(layer, 'visibility', away ? 'none' : 'visible');
  }
  countGrids(map, away);
  hidden = away;
}

/** @param {any} map @param {boolean} away */
function countGrids(map, away) {
  /** @type {Map<string, number>} */
  const now = new Map();
  for (const order of state.orders.values()) {
    if (shown(order) !== 'closed') now.set(order.grid.code, (now.get(order.grid.code) ?? 0) + 1);
  }
  const seen = now.size > 0 && !away;
  if (seen !== (counted.size > 0 && !hidden)) map.setLayoutProperty('load', 'visibility', seen ? 'visible' : 'none');
  for (const id of new Set([...now.keys(), ...counted.keys()])) {
    const open = now.get(id) ?? 0;
    if (open !== (counted.get(id) ?? 0)) map.setFeatureState({ source: 'grids', sourceLayer: 'grids', id }, { open });
  }
  counted = now;
}
