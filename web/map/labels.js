// Letter, distance and confidence of each candidate over the map, apart from each other, with a line to its cover.
import { html, render, svg } from '../vendor/lit-html/lit-html.js';
import { distance, percent } from '../format.js';
import { apart, end } from './apart.js';
import { LETTERS } from './pin-layer.js';

/** Half as wide as a cover is drawn: its line begins at its rim. */
const MARK = 7;

/** The pin stands above its place. */
const PIN = { width: 30, height: 34 };

/** @type {HTMLElement | null} */
let place = null;
/** Where the covers and the pin lie. @type {[number, number][]} */
let spots = [];
/** Where the labels lie, seen from their covers. @type {import('./apart.js').Box[]} */
let offsets = [];

const label = (/** @type {any} */ { cover, distance_m, confidence }, /** @type {number} */ nth, /** @type {string} */ choice) =>
  html`<div class="label ${cover.code === choice ? 'chosen' : ''}" data-candidate=${cover.code}>
    <b>${LETTERS[nth]}</b>${distance(distance_m)} · ${percent(confidence)}</div>`;

const labels = () => /** @type {HTMLElement[]} */ ([...(place?.querySelectorAll('.label') ?? [])]);

/** What lies over the map, in its own pixels. @param {any} map @param {HTMLElement} around */
function things(map, around) {
  const { left, top } = around.getBoundingClientRect();
  const [lon, lat] = spots[spots.length - 1];
  const pin = map.project([lon, lat]);
  const over = [...document.querySelectorAll('#over > .tools, #over > .bubble, #over > .legend, .maplibregl-ctrl-scale')];
  const boxes = over.map((one) => one.getBoundingClientRect()).map((box) => ({ left: box.left - left, top: box.top - top, right: box.right - left, bottom: box.bottom - top }));
  return [...boxes, { left: pin.x - PIN.width / 2, top: pin.y - PIN.height, right: pin.x + PIN.width / 2, bottom: pin.y }];
}

/** Finds each its place. @param {any} map */
function lay(map) {
  const all = labels();
  if (all.length === 0) return;
  const around = map.getContainer();
  const marks = all.map((one, nth) => ({ at: map.project(spots[nth]), size: { width: one.offsetWidth, height: one.offsetHeight } }));
  // On a phone the panel's edge lies over the map's.
  const room = { left: 4, top: 4, right: around.clientWidth - 4, bottom: around.clientHeight - 14 };
  offsets = apart(marks, things(map, around), room).map((box, nth) => {
    const { x, y } = marks[nth].at;
    return { left: box.left - x, top: box.top - y, right: box.right - x, bottom: box.bottom - y };
  });
  move(map);
}

/** Takes them along with the map. @param {any} map */
function move(map) {
  const lines = [...(place?.querySelectorAll('line') ?? [])];
  for (const [nth, one] of labels().entries()) {
    const box = offsets[nth];
    if (!box) continue;
    const { x, y } = map.project(spots[nth]);
    const to = end({ x: 0, y: 0 }, box);
    const rim = MARK / Math.max(MARK, Math.hypot(to.x, to.y));
    one.style.transform = `translate(${Math.round(x + box.left)}px, ${Math.round(y + box.top)}px)`;
    for (const [name, value] of [['x1', x + to.x * rim], ['y1', y + to.y * rim], ['x2', x + to.x], ['y2', y + to.y]]) lines[nth].setAttribute(String(name), String(value));
  }
}

/** @param {any} map */
function begin(map) {
  place = document.createElement('div');
  place.className = 'labels';
  // The list beside the map says the same.
  place.setAttribute('aria-hidden', 'true');
  map.getCanvasContainer().append(place);
  map.on('move', () => move(map));
  // While the map grows or shrinks, what lay apart would run together.
  map.on('zoomstart', () => place?.classList.add('away'));
  map.on('moveend', () => {
    lay(map);
    place?.classList.remove('away');
  });
  return place;
}

/**
 * @param {any} map
 * @param {any[]} candidates
 * @param {{ lon: number, lat: number } | null} pin
 * @param {string} choice
 */
export function drawLabels(map, candidates, pin, choice) {
  const here = place ?? begin(map);
  const seen = pin ? candidates : [];
  spots = [...seen.map(({ cover: { position } }) => [position.lon, position.lat]), ...(pin ? [[pin.lon, pin.lat]] : [])];
  render(html`<svg>${seen.map(() => svg`<line></line>`)}</svg>${seen.map((one, nth) => label(one, nth, choice))}`, here);
  lay(map);
}
