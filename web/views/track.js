// How a report fares.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { clock, moment } from '../format.js';
import { t, tOr } from '../i18n.js';
import { look } from '../map/map.js';
import { state } from '../state.js';
import { go, tokenOf } from '../track.js';
import { pill, refusal } from './pieces.js';

const ask = () => html`
  <h1>${t('track.title')}</h1>
  <p class="lead">${t('track.lead')}</p>
  <form @submit=${(/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const typed = new FormData(/** @type {HTMLFormElement} */ (event.target)).get('token');
    go(tokenOf(String(typed)));
  }}>
    <label class="field"><span>${t('track.token')}</span>
      <input name="token" required autocomplete="off" spellcheck="false" .value=${state.token}></label>
    <button class="second" type="submit">${t('track.go')}</button>
  </form>`;

/** @param {string} status @returns {import('../status.js').Shown} */
function shownOf(status) {
  if (status === 'closed' || status === 'cancelled') return 'closed';
  return ['registered', 'dispatched', 'suspended'].includes(status) ? 'waiting' : 'doing';
}

/** @param {any} step @param {number} nth @param {any[]} steps */
const entry = (step, nth, steps) => html`<li class=${nth === steps.length - 1 ? 'now' : ''}>
  <time class="number" datetime=${step.at}>${moment(step.at)}</time>
  <span>${step.text}</span>
</li>`;

const found = (/** @type {any} */ { report, work_order: order, timeline }) => {
  const shown = shownOf(order.status);
  return html`
    <p class="over number">${report.code}</p>
    <h1>${tOr(`damage.${report.damage}`, report.damage)}</h1>
    <p class="state">${pill(shown, t(`order.${order.status}`))}
      ${shown === 'closed' ? nothing : html`<span>${t('track.due', { at: clock(order.due_at) })}</span>`}</p>
    ${report.description ? html`<p class="quote">${report.description}</p>` : nothing}
    <h2>${t('track.timeline')}</h2>
    <ol class="timeline">${timeline.map(entry)}</ol>
    <div class="foot">
      <button class="second" type="button" @click=${() => look(report.position.lon, report.position.lat, 17)}>${t('track.map')}</button>
      <button class="plain" type="button" @click=${() => go('')}>${t('track.other')}</button>
    </div>`;
};

export const track = () => html`${refusal(state.trackProblem)} ${state.tracked && !state.trackProblem ? found(state.tracked) : ask()}`;
