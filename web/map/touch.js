// A click on the map: on a candidate, an order or a finding it chooses that, anywhere else it drops the pin.
import { drop } from '../pin.js';
import { choose } from '../quality.js';
import { set, state } from '../state.js';
import { precision } from './map.js';

/** Pixels beside it that still count: a finger is wide. */
const NEAR = 8;

/** @param {any} map */
export function touch(map) {
  map.on('click', (/** @type {any} */ { point, lngLat, originalEvent: { target } }) => {
    const label = target.closest?.('[data-candidate]');
    if (label) return state.step === 'pin' && set({ choice: label.dataset.candidate });
    const box = [[point.x - NEAR, point.y - NEAR], [point.x + NEAR, point.y + NEAR]];
    const found = map.queryRenderedFeatures(box, { layers: ['candidate', 'orders', 'findings', 'finding-ground'] });
    const candidate = found.find((/** @type {any} */ one) => one.layer.id === 'candidate');
    if (candidate && state.step === 'pin') {
      set({ choice: candidate.properties.code });
    } else if (found.length > 0 && !candidate) {
      const { code, finding } = found[0].properties;
      if (finding) choose(finding, false);
      else set({ view: 'orders', order: code });
      requestAnimationFrame(() => document.querySelector(`[data-code="${code}"]`)?.scrollIntoView({ block: 'nearest' }));
    } else if (!target.closest?.('.pin')) {
      drop(lngLat.lng, lngLat.lat, precision());
    }
  });
}
