// A pin without a mouse: keys move the map under its middle, Enter drops the pin there.
import { t } from '../i18n.js';
import { drop } from '../pin.js';
import { say, set } from '../state.js';
import { precision } from './map.js';

/** Pixels of a step, and of a small one. */
const STEP = 64;
const SMALL = 8;

const WAYS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});

/** @param {any} map */
export function aim(map) {
  const canvas = /** @type {HTMLCanvasElement} */ (map.getCanvas());
  canvas.setAttribute('aria-describedby', 'aim-help');
  canvas.addEventListener('focus', () => {
    if (!canvas.matches(':focus-visible')) return;
    set({ aiming: true });
    say(t('map.help'));
  });
  canvas.addEventListener('blur', () => set({ aiming: false }));
  canvas.addEventListener('pointerdown', () => set({ aiming: false }));
  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = WAYS[event.key];
    if (way) {
      const step = event.shiftKey ? SMALL : STEP;
      map.panBy([way[0] * step, way[1] * step], { animate: false });
    } else if (event.key === '+' || event.key === '=') {
      map.jumpTo({ zoom: map.getZoom() + 1 });
    } else if (event.key === '-') {
      map.jumpTo({ zoom: map.getZoom() - 1 });
    } else if (event.key === 'Enter' || event.key === ' ') {
      const { lng, lat } = map.getCenter();
      drop(lng, lat, precision());
    } else {
      return;
    }
    set({ aiming: true });
    event.preventDefault();
  });
}
