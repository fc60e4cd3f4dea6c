// What the map is drawn from, and how. Everything comes from this host.

/** Text is drawn with the fonts of the device: no glyphs are fetched. */
const FONT = ['PingFang SC', 'HarmonyOS Sans SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'sans-serif'];

/** Zooms from which covers are in the tiles. */
export const COVERS_FROM = { anyone: 16, known: 14 };

const DEEPEST = 16;

/** @param {string} layer @param {any} [more] */
const tiles = (layer, more) => ({
  type: 'vector',
  tiles: [`${location.origin}/tiles/${layer}/{z}/{x}/{y}.mvt`],
  maxzoom: DEEPEST,
  ...more,
});

/** @param {boolean} known whether there is a key */
export const coversSource = (known) => tiles('covers', { minzoom: known ? COVERS_FROM.known : COVERS_FROM.anyone });

export const empty = { type: 'geojson', data: { type: 'FeatureCollection', features: [] } };

/** Open orders of a grid → how dark it is; slate to indigo, warm colours are for deadlines. */
const OPEN = ['coalesce', ['feature-state', 'open'], 0];

/** @param {string} name */
export const words = (name) => ({ 'text-field': ['get', name], 'text-font': FONT });

export const COVER_LAYER = {
  id: 'covers',
  type: 'circle',
  source: 'covers',
  'source-layer': 'covers',
  paint: {
    'circle-radius': ['interpolate', ['linear'], ['zoom'], 14, 1.6, 16, 3, 18, 6, 20, 11],
    'circle-color': ['match', ['get', 'status'], 'abandoned', '#ffffff', '#93a1b1'],
    'circle-stroke-color': ['match', ['get', 'status'], 'abandoned', '#93a1b1', '#ffffff'],
    'circle-stroke-width': ['interpolate', ['linear'], ['zoom'], 15, 0, 17, 1.2],
  },
};

/** @param {boolean} known @returns {any} */
export function style(known) {
  return {
    version: 8,
    sources: {
      districts: tiles('districts'),
      subdistricts: tiles('subdistricts'),
      grids: tiles('grids', { promoteId: 'code' }),
      grid_label: tiles('grid_label', { minzoom: 14 }),
      covers: coversSource(known),
    },
    layers: [
      { id: 'ground', type: 'background', paint: { 'background-color': '#e4e9ef' } },
      { id: 'district', type: 'fill', source: 'districts', 'source-layer': 'districts', paint: { 'fill-color': '#fafbfc', 'fill-antialias': false } },
      {
        // Hidden until there is something to show: what is drawn clear costs as much as what is seen.
        id: 'load', type: 'fill', source: 'grids', 'source-layer': 'grids',
        layout: { visibility: 'none' },
        paint: {
          'fill-antialias': false,
          'fill-color': ['step', OPEN, '#ffffff', 1, '#d9dcec', 2, '#b3b5dc', 4, '#8582c4', 7, '#5b55a6'],
          'fill-opacity': ['interpolate', ['linear'], ['zoom'], 14, ['case', ['>', OPEN, 0], 0.85, 0], 17, ['case', ['>', OPEN, 0], 0.3, 0]],
        },
      },
      {
        id: 'grid-line', type: 'line', source: 'grids', 'source-layer': 'grids',
        paint: {
          'line-color': '#c3ccd7',
          'line-width': ['interpolate', ['linear'], ['zoom'], 11, 0.4, 14, 0.9, 17, 1.6],
        },
      },
      {
        id: 'grid-here', type: 'line', source: 'grids', 'source-layer': 'grids',
        layout: { 'line-join': 'round', visibility: 'none' },
        paint: { 'line-color': '#1e66c8', 'line-width': 2.5, 'line-opacity': ['case', ['boolean', ['feature-state', 'here'], false], 0.9, 0] },
      },
      {
        id: 'subdistrict-line', type: 'line', source: 'subdistricts', 'source-layer': 'subdistricts',
        layout: { 'line-join': 'round' },
        paint: {
          'line-color': '#7f90a4',
          'line-width': ['interpolate', ['linear'], ['zoom'], 11, 0.9, 15, 2],
        },
      },
      {
        id: 'district-line', type: 'line', source: 'districts', 'source-layer': 'districts',
        layout: { 'line-join': 'round' },
        paint: { 'line-color': '#4a5a6c', 'line-width': ['interpolate', ['linear'], ['zoom'], 11, 1.4, 15, 2.4] },
      },
      COVER_LAYER,
      {
        id: 'grid-label', type: 'symbol', source: 'grid_label', 'source-layer': 'grid_label', minzoom: 14.3,
        layout: { ...words('name'), 'text-size': ['interpolate', ['linear'], ['zoom'], 14.3, 11, 17, 14], 'text-max-width': 7, 'text-padding': 6 },
        paint: { 'text-color': '#4d5b6a', 'text-halo-color': '#ffffff', 'text-halo-width': 1.6 },
      },
    ],
  };
}

/** What comes later than the district itself: added once that is drawn, so that nothing waits for it. */
export const LATER = {
  // Where names stand is known to the metre at zoom 12, and deeper squares need not be asked for.
  sources: { subdistrict_label: tiles('subdistrict_label', { maxzoom: 12 }), pin: empty, orders: { ...empty, promoteId: 'code' } },
  layers: [
    {
      id: 'subdistrict-label', type: 'symbol', source: 'subdistrict_label', 'source-layer': 'subdistrict_label', maxzoom: 14.3,
      layout: { ...words('name'), 'text-size': ['interpolate', ['linear'], ['zoom'], 11, 11, 13, 14], 'text-max-width': 8, 'text-padding': 4 },
      paint: { 'text-color': '#2f3d4c', 'text-halo-color': '#ffffff', 'text-halo-width': 2 },
    },
    {
      id: 'reach', type: 'fill', source: 'pin', filter: ['==', ['get', 'kind'], 'reach'],
      paint: { 'fill-color': '#1e66c8', 'fill-opacity': 0.1, 'fill-outline-color': '#1e66c8' },
    },
    {
      id: 'way', type: 'line', source: 'pin', filter: ['==', ['get', 'kind'], 'way'],
      layout: { 'line-cap': 'round' },
      paint: {
        'line-color': '#1e66c8', 'line-width': ['case', ['get', 'chosen'], 3, 1.5],
        'line-opacity': ['case', ['get', 'chosen'], 1, 0.6],
      },
    },
    {
      id: 'candidate', type: 'circle', source: 'pin', filter: ['==', ['get', 'kind'], 'candidate'],
      layout: { 'circle-sort-key': ['-', ['get', 'nth']] },
      paint: {
        'circle-radius': ['case', ['get', 'chosen'], 8, 6],
        'circle-color': ['case', ['get', 'chosen'], '#1e66c8', '#ffffff'],
        'circle-stroke-color': '#1e66c8', 'circle-stroke-width': 2,
      },
    },
    {
      id: 'order-here', type: 'circle', source: 'orders',
      filter: ['==', ['get', 'chosen'], true],
      paint: { 'circle-radius': 17, 'circle-color': '#1e66c8', 'circle-opacity': 0.18, 'circle-stroke-color': '#1e66c8', 'circle-stroke-width': 2 },
    },
    {
      id: 'orders', type: 'symbol', source: 'orders',
      layout: {
        'icon-image': ['get', 'shown'], 'icon-allow-overlap': true, 'icon-ignore-placement': true,
        'icon-size': ['interpolate', ['linear'], ['zoom'], 11, 0.8, 15, 1.15],
        'symbol-sort-key': ['get', 'rank'],
      },
    },
  ],
};
