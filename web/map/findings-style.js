// How findings look: colour and shape by severity, on ground a line of its own for each.
import { SEVERITIES, TINTS } from '../severity.js';
import { empty, words } from './style.js';

const TINT = ['match', ['get', 'severity'], 'error', TINTS.error, 'warning', TINTS.warning, TINTS.notice];

/** Drawn through, dashed, dotted. */
const DASHES = /** @type {Record<string, number[]>} */ ({ error: [1], warning: [2.5, 1.5], notice: [0.1, 1.8] });

const CHOSEN = ['get', 'chosen'];
const WIDTH = ['case', CHOSEN, 4, 2.5];
const is = (/** @type {string} */ member, /** @type {string} */ value) => ['==', ['get', member], value];

/** Added with what comes later than the district itself; pin and orders are not seen beside it. */
export const FINDINGS = {
  sources: { findings: empty, finding: empty },
  layers: [
    {
      id: 'finding-ground', type: 'fill', source: 'findings', filter: ['==', ['geometry-type'], 'Polygon'],
      paint: { 'fill-color': TINT, 'fill-opacity': ['case', CHOSEN, 0.35, 0.2] },
    },
    {
      id: 'finding-halo', type: 'line', source: 'findings', filter: is('kind', 'ground'),
      layout: { 'line-join': 'round' },
      paint: { 'line-color': '#ffffff', 'line-width': ['case', CHOSEN, 8, 6] },
    },
    ...SEVERITIES.map((severity) => ({
      id: `finding-edge-${severity}`, type: 'line', source: 'findings', filter: ['all', is('kind', 'ground'), is('severity', severity)],
      layout: { 'line-join': 'round', 'line-cap': severity === 'notice' ? 'round' : 'butt' },
      paint: { 'line-color': TINTS[severity], 'line-width': WIDTH, 'line-dasharray': DASHES[severity] },
    })),
    {
      id: 'thing-edge', type: 'line', source: 'finding', filter: is('kind', 'grid'),
      layout: { 'line-join': 'round' },
      paint: { 'line-color': '#1e66c8', 'line-width': 2.5, 'line-opacity': 0.9 },
    },
    {
      id: 'finding-here', type: 'circle', source: 'findings', filter: ['==', ['get', 'ringed'], true],
      paint: { 'circle-radius': 20, 'circle-color': '#1e66c8', 'circle-opacity': 0.14, 'circle-stroke-color': '#1e66c8', 'circle-stroke-width': 2 },
    },
    {
      id: 'things', type: 'circle', source: 'finding', filter: is('kind', 'cover'),
      paint: { 'circle-radius': 5, 'circle-color': '#ffffff', 'circle-stroke-color': '#1e66c8', 'circle-stroke-width': 3 },
    },
    {
      id: 'thing-letter', type: 'symbol', source: 'finding', filter: ['has', 'letter'],
      // Covers may lie nearer to each other than letters are wide.
      layout: {
        ...words('letter'), 'text-size': 14, 'text-allow-overlap': true, 'text-ignore-placement': true,
        'text-anchor': ['match', ['get', 'side'], 'west', 'right', 'east', 'left', 'center'],
        'text-offset': ['match', ['get', 'side'], 'west', ['literal', [-0.7, 0]], 'east', ['literal', [0.7, 0]], ['literal', [0, 0]]],
      },
      paint: { 'text-color': '#1a56a8', 'text-halo-color': '#ffffff', 'text-halo-width': 2 },
    },
    {
      // Above its ring, so that what is in it is seen.
      id: 'findings', type: 'symbol', source: 'findings', filter: is('kind', 'mark'),
      layout: {
        'icon-image': ['get', 'severity'], 'icon-allow-overlap': true, 'icon-ignore-placement': true,
        'icon-size': ['interpolate', ['linear'], ['zoom'], 11, 0.7, 15, 1.15],
        'icon-offset': ['case', ['get', 'ringed'], ['literal', [0, -28]], ['literal', [0, 0]]],
        'symbol-sort-key': ['get', 'rank'],
      },
    },
  ],
};
