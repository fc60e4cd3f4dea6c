// Small parts that several views share.
import { html, svg } from '../vendor/lit-html/lit-html.js';
import { t } from '../i18n.js';
import { OUTLINES, SIGNS } from '../severity.js';
import { SHAPES } from '../status.js';

/** @typedef {import('../status.js').Shown} Shown */

/** The shape of a state, for beside its word. @param {Shown} shown */
export const shape = (shown) => html`<svg class="shape is-${shown}" viewBox="0 0 24 24" aria-hidden="true">
  ${svg`<path d=${SHAPES[shown]}></path>`}
</svg>`;

/** Colour, shape and word. @param {Shown} shown @param {string} [word] */
export const pill = (shown, word = t(`shown.${shown}`)) =>
  html`<span class="pill is-${shown}">${shape(shown)}${word}</span>`;

/** The shape of a severity, for beside its word. @param {import('../severity.js').Severity} severity */
export const mark = (severity) => html`<svg class="mark is-${severity}" viewBox="0 0 24 24" aria-hidden="true">
  ${svg`<path d=${OUTLINES[severity]}></path><path d=${SIGNS[severity]}></path>`}
</svg>`;

/** What was refused, and why. @param {import('../api.js').Problem | null} problem */
export const refusal = (problem) =>
  problem ? html`<div class="refusal" role="alert"><strong>${problem.title}</strong>${problem.detail ? html`<p>${problem.detail}</p>` : ''}</div>` : '';

const ICONS = /** @type {Record<string, string>} */ ({
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  whole: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  here: 'M12 2v4M12 18v4M2 12h4M18 12h4M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8Z',
  back: 'M15 5 8 12l7 7',
  key: 'M8 11a4 4 0 1 0 0 8a4 4 0 1 0 0-8ZM11 12.5 20 4M17 7l3 3M14 10l2 2',
  close: 'M6 6l12 12M18 6 6 18',
});

/** @param {string} name */
export const icon = (name) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${svg`<path d=${ICONS[name]}></path>`}</svg>`;

const LID = 'M16 6a10 10 0 1 0 0 20a10 10 0 1 0 0-20Z';

/** What is wrong with a cover, as it looks from above or from the side. */
const DAMAGE = /** @type {Record<string, string>} */ ({
  missing: 'M16 9.500a6.500 6.500 0 1 0 0 13a6.500 6.500 0 1 0 0-13Z',
  broken: `${LID}M16 6l-2 6 4 4-4 4 2 6`,
  displaced: 'M12.500 9a8.500 8.500 0 1 0 0 17M12.500 9a8.500 8.500 0 0 1 6 2.500M20 6a8 8 0 1 0 0 16a8 8 0 1 0 0-16Z',
  loose: 'M4 22h24M8 18.500l16-5M8 18.500v-3l16-5v3',
  overflow: 'M4 25h24M8 25v-3h16v3M11 17c-2-3 2-4 0-8M16 17c-2-3 2-4 0-8M21 17c-2-3 2-4 0-8',
  sunken: 'M3 13h6v7h14v-7h6M16 6v9M12.500 12l3.500 3.500 3.500-3.500',
  raised: 'M3 24h6v-6h14v6h6M16 14V5M12.500 8.500 16 5l3.500 3.500',
  surround_damaged: 'M16 10a6 6 0 1 0 0 12a6 6 0 1 0 0-12ZM16 4l-1 5M27 12l-5.500 2M26 24l-5-4M6 25l5-4.500M4 13l6 1.500',
  noisy: 'M4 22h24M8 22v-3.500h16V22M11 8.500c3-3 7-3 10 0M13.500 12.500c1.500-1.500 3.500-1.500 5 0',
  other: 'M8 16h.01M16 16h.01M24 16h.01',
});

/** @param {string} damage */
export const damagePicture = (damage) => html`<svg class="damage-picture of-${damage}" viewBox="0 0 32 32" aria-hidden="true">
  ${damage === 'missing' ? svg`<path class="rim" d=${LID}></path>` : ''}${svg`<path d=${DAMAGE[damage] ?? DAMAGE.other}></path>`}
</svg>`;
