// A pin, and what it means.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { distance, percent } from '../format.js';
import { t, tOr } from '../i18n.js';
import { LETTERS } from '../map/pin-layer.js';
import { SYSTEMS, chooseSystem, dropHere, dropTyped, isProjected, lift, pairIn, poor } from '../pin.js';
import { begin } from '../report.js';
import { set, state } from '../state.js';
import { icon, refusal } from './pieces.js';

const value = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).value;

/** Both numbers may be pasted into either field. */
const pasted = (/** @type {ClipboardEvent} */ event) => {
  const pair = pairIn(event.clipboardData?.getData('text') ?? '');
  if (!pair) return;
  event.preventDefault();
  set({ east: pair[0], north: pair[1], typedFault: null });
};

/** @param {'east' | 'north'} member */
const typed = (member) => (/** @type {Event} */ event) => {
  state[member] = value(event);
  // What was said is of what stood there.
  if (state.typedFault || state.pinProblem) set({ typedFault: null, pinProblem: null });
};

/** @param {'east' | 'north'} member @param {string} label */
const number = (member, label) => {
  const fault = state.typedFault?.member === member ? t(state.typedFault.says) : '';
  return html`<div>
    <label class="field">
      <span>${label}</span>
      <input name=${member} inputmode="decimal" autocomplete="off" required .value=${state[member]} @paste=${pasted}
        aria-invalid=${fault ? 'true' : nothing} aria-describedby=${fault ? `fault-${member}` : nothing} @input=${typed(member)}>
    </label>
    ${fault ? html`<p class="fault" id=${`fault-${member}`} role="alert">${fault}</p>` : nothing}
  </div>`;
};

/** @param {Event} event */
const submit = (event) => {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  dropTyped();
  if (state.typedFault) /** @type {HTMLElement} */ (form.elements.namedItem(state.typedFault.member)).focus();
};

const coordinates = () => {
  const projected = isProjected(state.crs);
  return html`<form class="coordinates" novalidate @submit=${submit}>
    <label class="field">
      <span>${t('crs')}</span>
      <select name="crs" .value=${state.crs} @change=${(/** @type {Event} */ e) => chooseSystem(value(e))}>
        ${SYSTEMS.map((one) => html`<option value=${one.crs} ?selected=${one.crs === state.crs}>${tOr(`crs.${one.crs}`, one.name)}</option>`)}
      </select>
    </label>
    <div class="pair">
      ${number('east', t(projected ? 'crs.x' : 'crs.lon'))} ${number('north', t(projected ? 'crs.y' : 'crs.lat'))}
    </div>
    <div class="pair">
      <button class="second" type="submit">${t('locate.go')}</button>
      <button class="second" type="button" @click=${dropHere}>${icon('here')}${t('locate.here')}</button>
    </div>
  </form>`;
};

const start = () => html`
  <h1>${t(state.map ? 'locate.title' : 'locate.title.nomap')}</h1>
  <p class="lead">${t(state.map ? 'locate.lead' : 'locate.lead.nomap')}</p>
  ${state.map ? html`<p class="hint keys">${t('locate.keys')}</p>` : nothing}
  <h2>${t('locate.coordinates')}</h2>
  ${coordinates()}`;

const place = (/** @type {any} */ grid) => html`
  <p class="over">${grid.subdistrict.name} · ${grid.community.name}</p>
  <h1>${grid.name}</h1>
  <dl class="facts">
    <div><dt>${t('grid.code')}</dt><dd class="number">${grid.code}</dd></div>
    ${grid.supervising_department ? html`<div><dt>${t('grid.department')}</dt><dd>${grid.supervising_department.name}</dd></div>` : nothing}
    ${grid.leader?.name ? html`<div><dt>${t('grid.leader')}</dt><dd>${grid.leader.name}</dd></div>` : nothing}
  </dl>`;

/** @param {string} code @param {unknown} content @param {string} [more] */
const option = (code, content, more = '') => html`<label class="option ${more}">
  <input type="radio" name="choice" .value=${code} .checked=${state.choice === code} @change=${() => set({ choice: code })}>
  ${content}
</label>`;

const owner = (/** @type {any} */ cover) => cover.owner?.name ?? t('owner.unknown');

const reported = (/** @type {any} */ order) =>
  order ? html`<span class="already">${t('already', { damage: tOr(`damage.${order.damage}`, order.damage), n: order.report_count })}</span>` : nothing;

const candidate = (/** @type {any} */ found, /** @type {number} */ nth) =>
  option(found.cover.code, html`
    <span class="letter" aria-hidden="true">${LETTERS[nth]}</span>
    <span class="what">
      <strong>${tOr(`category.${found.cover.category.code}`, found.cover.category.name)}</strong>
      <span>${owner(found.cover)}</span>
      <span class="number quiet">${found.cover.code}</span>
      ${reported(found.open_order)}
    </span>
    <span class="how">
      <strong class="number">${distance(found.distance_m)}</strong>
      <span class="number quiet">${t('confidence')} ${percent(found.confidence)}</span>
      <meter min="0" max="1" .value=${found.confidence} aria-hidden="true"></meter>
    </span>`);

const nearby = (/** @type {any} */ order) =>
  option(`join:${order.code}`, html`
    <span class="letter is-order" aria-hidden="true">!</span>
    <span class="what"><strong>${t('join')}</strong>${reported(order)}<span class="number quiet">${order.code}</span></span>
    <span class="how"></span>`);

const none = (/** @type {number} */ confidence) =>
  option('none', html`
    <span class="letter is-none" aria-hidden="true">?</span>
    <span class="what"><strong>${t('none')}</strong><span>${t('none.lead')}</span></span>
    <span class="how"><span class="number quiet">${t('confidence')} ${percent(confidence)}</span></span>`);

/** What the pin may mean, the likeliest first. @param {any} found */
const choices = ({ candidates, open_orders, none_confidence }) => {
  if (candidates.length + open_orders.length === 0) return html`<p class="lead">${t('unregistered.lead')}</p>`;
  const noneFirst = candidates.every((/** @type {any} */ one) => one.confidence < none_confidence);
  const covers = candidates.map(candidate);
  const nearOrders = open_orders.map(nearby);
  return noneFirst ? [nearOrders, none(none_confidence), covers] : [covers, nearOrders, none(none_confidence)];
};

const meaning = (/** @type {any} */ found) => html`
  ${place(found.grid)}
  ${poor() ? html`<p class="lead">${poor('lead')}</p>` : nothing}
  <fieldset class="options">
    <legend class="match is-${found.match}">${t(`match.${found.match}`)}</legend>
    ${choices(found)}
  </fieldset>
  <details class="fold">
    <summary>${t('locate.coordinates')}</summary>
    ${coordinates()}
  </details>
  <div class="foot">
    <button class="first" type="button" @click=${begin}>${t('report.begin')}</button>
    <button class="plain" type="button" @click=${lift}>${t('locate.again')}</button>
  </div>`;

export function locate() {
  const { resolution, pinProblem, resolving } = state;
  return html`<div class=${resolving ? 'busy' : ''} aria-busy=${resolving}>
    ${refusal(pinProblem)} ${resolution && !pinProblem ? meaning(resolution) : start()}
  </div>`;
}
