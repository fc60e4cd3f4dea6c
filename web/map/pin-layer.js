// The pin, its candidates and the way to each, on the map.
import { Marker } from '../vendor/maplibre-gl/maplibre-gl.mjs';
import { drop } from '../pin.js';
import { state } from '../state.js';
import { drawLabels } from './labels.js';
import { precision } from './map.js';

export const LETTERS = 'ABCDEFGHIJ';

/** @type {any} */
let marker = null;
let drawn = '';
let here = '';

function picture() {
  const place = document.createElement('div');
  place.className = 'pin';
  place.setAttribute('aria-hidden', 'true');
  return place;
}

/** Where it is let go, it is dropped. @param {any} marker */
function draggable(marker) {
  marker.on('dragend', () => {
    const { lng, lat } = marker.getLngLat();
    drop(lng, lat, precision());
  });
  return marker;
}

/** A circle of metres, as a polygon. @param {number} lon @param {number} lat @param {number} metres */
function circle(lon, lat, metres) {
  const [north, east] = [metres / 111_320, metres / (111_320 * Math.cos((lat * Math.PI) / 180))];
  const ring = Array.from({ length: 49 }, (_, step) => {
    const angle = (step / 48) * 2 * Math.PI;
    return [lon + east * Math.cos(angle), lat + north * Math.sin(angle)];
  });
  return { type: 'Polygon', coordinates: [ring] };
}

/** @param {any} geometry @param {any} properties */
const feature = (geometry, properties) => ({ type: 'Feature', geometry, properties });

/** @param {import('../state.js').Pin | null} pin */
function features(pin) {
  const { choice, view } = state;
  const resolution = view === 'locate' ? state.resolution : null;
  if (!pin) return [];
  const found = [feature(circle(pin.lon, pin.lat, pin.accuracy_m), { kind: 'reach' })];
  for (const [nth, candidate] of (resolution?.candidates ?? []).entries()) {
    const { code, position } = candidate.cover;
    const at = [position.lon, position.lat];
    const chosen = code === choice;
    found.push(feature({ type: 'LineString', coordinates: [[pin.lon, pin.lat], at] }, { kind: 'way', chosen }));
    found.push(feature({ type: 'Point', coordinates: at }, { kind: 'candidate', chosen, nth, code }));
  }
  return found;
}

/** @param {any} map */
export function drawPin(map) {
  if (!map?.getSource('pin')) return;
  const { choice, view, tracked } = state;
  const resolution = view === 'locate' ? state.resolution : null;
  const pin = view === 'locate' ? state.pin : view === 'track' && tracked ? { ...tracked.report.position, accuracy_m: 3 } : null;
  const now = JSON.stringify([pin, resolution?.candidates.map((/** @type {any} */ c) => c.cover.code), choice]);
  if (now === drawn) return;
  drawn = now;
  map.getSource('pin').setData({ type: 'FeatureCollection', features: features(pin) });
  if (pin) {
    marker ??= draggable(new Marker({ element: picture(), anchor: 'bottom' }));
    marker.setLngLat([pin.lon, pin.lat]).setDraggable(view === 'locate').addTo(map);
  } else {
    marker?.remove();
  }
  drawLabels(map, resolution?.candidates ?? [], pin, choice);
  const grid = (pin && resolution?.grid.code) || '';
  const light = (/** @type {string} */ id, /** @type {boolean} */ on) =>
    id && map.setFeatureState({ source: 'grids', sourceLayer: 'grids', id }, { here: on });
  if (grid !== here) {
    map.setLayoutProperty('grid-here', 'visibility', grid ? 'visible' : 'none');
    light(here, false);
    light(grid, true);
    here = grid;
  }
}
