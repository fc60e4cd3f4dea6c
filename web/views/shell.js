// What stands around: the head, the ways, the key, what lies over the map.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { choose, language, t } from '../i18n.js';
import { COVERS_FROM } from '../map/style.js';
import { whole, zoomBy } from '../map/map.js';
import { fresh, openOrders, signIn, signOut } from '../orders.js';
import { poor } from '../pin.js';
import { retell } from '../retell.js';
import { set, state } from '../state.js';
import { SEVERITIES } from '../severity.js';
import { ALL } from '../status.js';
import { icon, mark, refusal, shape } from './pieces.js';

const VIEWS = /** @type {const} */ (['locate', 'track', 'orders']);
const VIEWS_WITH_KEY = /** @type {const} */ ([...VIEWS, 'quality']);

/** How much there is to do in a view, where that is known. @param {string} view */
const count = (view) => ({ orders: openOrders().length, quality: state.openFindings })[view] || nothing;

const dialog = () => /** @type {HTMLDialogElement} */ (document.querySelector('#dialogs dialog'));

const live = () => {
  const on = fresh();
  return html`<span class="live ${on ? 'on' : ''}">${t(on ? 'live.on' : state.live === 'connecting' ? 'live.connecting' : 'live.lost')}</span>`;
};

export const header = () => html`
  <span class="brand"><svg viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="15"></circle><circle class="rim" cx="16" cy="16" r="11"></circle><path d="M10.5 12h11M9 16h14M10.5 20h11"></path></svg>
    <strong>${t('brand')}</strong></span>
  <span class="of">${state.district ? `${state.district} · ` : ''}${t('subtitle')}</span>
  <span class="space"></span>
  ${state.me ? live() : nothing}
  <button class="chip" type="button" lang=${language === 'en' ? 'zh-CN' : 'en'} @click=${() => choose(language === 'en' ? 'zh-CN' : 'en').then(retell)}>
    ${language === 'en' ? '中文' : 'English'}
  </button>
  ${state.me
    ? html`<button class="chip" type="button" @click=${signOut}>${t(`role.${state.me.role}`)} · ${t('key.out')}</button>`
    : html`<button class="chip" type="button" @click=${() => dialog().showModal()}>${icon('key')}${t('key.in')}</button>`}`;

export const ways = () => html`<nav class="ways" aria-label=${t('ways')}>
  ${(state.me && state.me.role !== 'resident' ? VIEWS_WITH_KEY : VIEWS).map((view) => html`<button type="button" aria-current=${state.view === view ? 'page' : nothing} @click=${() => set({ view })}>
    ${t(`way.${view}`)}${count(view) === nothing ? nothing : html` <span class="number">${count(view)}</span>`}
  </button>`)}
</nav>`;

export const dialogs = () => html`<dialog aria-labelledby="key-title" @close=${() => set({ keyProblem: null })}>
  <form @submit=${async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const typed = String(new FormData(form).get('key')).trim();
    if (await signIn(typed)) {
      form.reset();
      dialog().close();
      set({ view: 'orders' });
    }
  }}>
    <h2 id="key-title">${t('key.title')}</h2>
    <p class="hint">${t('key.lead')}</p>
    <label class="field"><span>${t('key.key')}</span>
      <input name="key" type="password" required autocomplete="off" spellcheck="false"></label>
    ${refusal(state.keyProblem)}
    <div class="pair">
      <button class="second" type="button" @click=${() => dialog().close()}>${t('cancel')}</button>
      <button class="first" type="submit">${t('key.enter')}</button>
    </div>
  </form>
</dialog>`;

const legend = () => html`<div class="legend" role="group" aria-label=${t('legend')}>
  ${state.view === 'quality'
    ? SEVERITIES.map((kind) => html`<span>${mark(kind)}${t(`severity.${kind}`)}</span>`)
    : html`${ALL.map((kind) => html`<span>${shape(kind)}${t(`shown.${kind}`)}</span>`)}
        <span class="scale">${t('legend.load')}<i></i><i></i><i></i><i></i>${t('legend.more')}</span>`}
</div>`;

export const over = () => {
  if (!state.map) return html`<p class="nomap">${t('nomap')}</p>`;
  const from = state.me ? COVERS_FROM.known : COVERS_FROM.anyone;
  return html`
    ${state.aiming ? html`<div class="cross" aria-hidden="true"></div>` : nothing}
    <p id="aim-help" class="unseen">${t('map.help')}</p>
    ${poor()
      ? html`<p class="bubble">${poor()}</p>`
      : state.zoom > 0 && state.zoom < from ? html`<p class="bubble">${t('zoom.in')}</p>` : nothing}
    <div class="tools">
      <button type="button" aria-label=${t('zoom.closer')} @click=${() => zoomBy(1)}>${icon('plus')}</button>
      <button type="button" aria-label=${t('zoom.farther')} @click=${() => zoomBy(-1)}>${icon('minus')}</button>
      <button type="button" aria-label=${t('zoom.whole')} @click=${whole}>${icon('whole')}</button>
    </div>
    ${state.me ? legend() : nothing}`;
};
