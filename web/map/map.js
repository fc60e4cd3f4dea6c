// The map itself: made once, moved by mouse, finger and keys.
import { Map as MapLibre, ScaleControl, prewarm, setWorkerUrl } from '../vendor/maplibre-gl/maplibre-gl.mjs';
import { headers } from '../api.js';
import { t } from '../i18n.js';
import { CLICKED } from '../pin.js';
import { set } from '../state.js';
import { FINDINGS } from './findings-style.js';
import { shapes } from './shapes.js';
import { COVER_LAYER, LATER, coversSource, style } from './style.js';

setWorkerUrl(new URL('../vendor/maplibre-gl/maplibre-gl-worker.mjs', import.meta.url).href);
// The worker is fetched and read while the page still waits for its words.
prewarm();

/** @type {any} */
export let map = null;

/** @type {number[] | undefined} */
let extent;

const WIDE = innerWidth > 760;

/** Room for what lies over the map's edges: the legend below, on a phone the buttons above. */
const PADDING = { top: WIDE ? 24 : 64, right: 24, bottom: WIDE ? 64 : 32, left: 24 };

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * Makes the map; without WebGL there is none, and the lists say all.
 * @param {number[]} bounds
 * @param {boolean} known
 */
export function make(bounds, known) {
  extent = bounds;
  try {
    map = new MapLibre({
      container: 'map',
      style: style(known),
      bounds,
      fitBoundsOptions: { padding: PADDING },
      minZoom: 9,
      maxZoom: 20,
      attributionControl: false,
      keyboard: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      fadeDuration: 0,
      refreshExpiredTiles: false,
      locale: { 'Map.Title': t('map.label') },
      transformRequest: (/** @type {string} */ url) =>
        url.startsWith(`${location.origin}/tiles/`) ? { url, headers: headers() } : { url },
    });
  } catch {
    set({ map: false });
    return null;
  }
  map.touchZoomRotate.disableRotation();
  map.addControl(new ScaleControl({ maxWidth: 96 }), 'bottom-right');
  shapes(map);
  map.on('zoomend', () => set({ zoom: map.getZoom() }));
  map.once('load', () => {
    performance.mark('guli.map');
    for (const { sources, layers } of [LATER, FINDINGS]) {
      for (const [name, source] of Object.entries(sources)) map.addSource(name, source);
      for (const layer of layers) map.addLayer(layer);
    }
    set({ zoom: map.getZoom(), district: districtName() });
  });
  return map;
}

function districtName() {
  const found = map.querySourceFeatures('districts', { sourceLayer: 'districts' });
  return found[0]?.properties.name ?? '';
}

/** Shows covers as the key, or its absence, allows. @param {boolean} known */
export function showCovers(known) {
  if (!map) return;
  map.removeLayer('covers');
  map.removeSource('covers');
  map.addSource('covers', coversSource(known));
  map.addLayer(COVER_LAYER, 'grid-label');
}

export function reloadCovers() {
  const source = map?.getSource('covers');
  if (source) source.setTiles(source.tiles);
}

/**
 * @param {number} lon
 * @param {number} lat
 * @param {number} zoom at least
 */
export function look(lon, lat, zoom) {
  if (!map) return;
  const to = { center: [lon, lat], zoom: Math.max(map.getZoom(), zoom) };
  if (calm.matches) map.jumpTo(to);
  else map.easeTo({ ...to, duration: 450 });
}

/** Pixels that a click may be off, and metres of a pixel on the equator at zoom 0. */
const OFF = 4;
const PIXEL = 40_075_016.686 / 512;

/** How exactly one can point at the map as it is now, in metres. */
export function precision() {
  const { lat } = map.getCenter();
  return Math.max(CLICKED, (OFF * PIXEL * Math.cos((lat * Math.PI) / 180)) / 2 ** map.getZoom());
}

/**
 * Looks at a pin and all that it may mean, with the pin in the middle: no nearer than told or than it was.
 * @param {{ lon: number, lat: number }} pin
 * @param {{ lon: number, lat: number }[]} others
 * @param {number} nearest
 */
export function lookAround({ lon, lat }, others, nearest) {
  if (!map) return;
  const [east, north] = [
    Math.max(1e-7, ...others.map((other) => Math.abs(other.lon - lon))),
    Math.max(1e-7, ...others.map((other) => Math.abs(other.lat - lat))),
  ];
  const around = map.getContainer();
  // Labels stand around the covers, where there is room for them.
  const padding = { left: Math.min(140, around.clientWidth / 5), top: Math.min(72, around.clientHeight / 5) };
  const { zoom } = map.cameraForBounds([lon - east, lat - north, lon + east, lat + north], {
    padding: { ...padding, right: padding.left, bottom: padding.top }, maxZoom: Math.max(map.getZoom(), nearest),
  });
  const to = { center: [lon, lat], zoom };
  if (calm.matches) map.jumpTo(to);
  else map.easeTo({ ...to, duration: 450 });
}

/**
 * Looks at a box: as near as it can be seen as a whole, but no nearer than told.
 * @param {[number, number, number, number]} box
 * @param {number} nearest
 */
export function frame(box, nearest) {
  map?.fitBounds(box, { padding: PADDING, maxZoom: nearest, duration: calm.matches ? 0 : 450 });
}

export const zoomBy = (/** @type {number} */ by) => map?.easeTo({ zoom: map.getZoom() + by, duration: calm.matches ? 0 : 200 });

export const whole = () => map?.fitBounds(extent, { padding: PADDING, duration: calm.matches ? 0 : 450 });
