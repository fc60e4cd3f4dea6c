// What is wrong there, and who says so.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { clock, distance } from '../format.js';
import { t, tOr } from '../i18n.js';
import { lift } from '../pin.js';
import { DAMAGES, faultOf, refusedElsewhere, send } from '../report.js';
import { set, state } from '../state.js';
import { go, link } from '../track.js';
import { damagePicture, icon, refusal } from './pieces.js';

const chosen = () => state.resolution?.candidates.find((/** @type {any} */ one) => one.cover.code === state.choice);

const about = () => {
  const found = chosen();
  const cover = found?.cover;
  const what = cover
    ? `${tOr(`category.${cover.category.code}`, cover.category.name)} · ${distance(found.distance_m)}`
    : t(state.choice.startsWith('join:') ? 'join' : 'none.short');
  return html`<p class="about"><strong>${what}</strong><span>${state.resolution?.grid.name}</span></p>`;
};

const damage = (/** @type {string} */ code) => html`<label class="tile">
  <input type="radio" name="damage" value=${code} .checked=${state.draft.damage === code}
    @change=${() => { state.draft.damage = code; set({}); }}>
  ${damagePicture(code)}<span>${t(`damage.${code}`)}</span>
</label>`;

/** @typedef {'description' | 'name' | 'phone'} Typed */

/** @param {Typed} member */
const typed = (member) => (/** @type {Event} */ event) => {
  state.draft[member] = /** @type {HTMLInputElement} */ (event.target).value;
  if (faultOf(member)) set({ sendProblem: null });
};

/** A field, and what is wrong with it. @param {Typed} member @param {(invalid: any, described: any) => unknown} input */
const field = (member, input) => {
  const fault = faultOf(member);
  return html`<div>
    <label class="field"><span>${t(`report.${member}`)}</span>
      ${input(fault ? 'true' : nothing, fault ? `fault-${member}` : nothing)}</label>
    ${fault ? html`<p class="fault" id=${`fault-${member}`}>${fault}</p>` : nothing}
  </div>`;
};

export const report = () => html`<form @submit=${(/** @type {Event} */ e) => (e.preventDefault(), send())}>
  <button class="plain back" type="button" @click=${() => set({ step: 'pin' })}>${icon('back')}${t('back')}</button>
  ${about()}
  <fieldset>
    <legend><h1>${t('report.title')}</h1></legend>
    <div class="tiles">${DAMAGES.map(damage)}</div>
  </fieldset>
  ${field('description', (invalid, described) => html`<textarea name="description" rows="2" maxlength="2000" aria-invalid=${invalid}
    aria-describedby=${described} .value=${state.draft.description} @input=${typed('description')}></textarea>`)}
  <div class="pair">
    ${field('name', (invalid, described) => html`<input name="name" autocomplete="name" maxlength="100" aria-invalid=${invalid}
      aria-describedby=${described} .value=${state.draft.name} @input=${typed('name')}>`)}
    ${field('phone', (invalid, described) => html`<input name="phone" type="tel" autocomplete="tel" maxlength="32" aria-invalid=${invalid}
      aria-describedby=${described} .value=${state.draft.phone} @input=${typed('phone')}>`)}
  </div>
  <p class="hint">${t('report.privacy')}</p>
  <div class="foot">
    ${refusal(refusedElsewhere())}
    <button class="first" type="submit" ?disabled=${!state.draft.damage} aria-disabled=${state.sending ? 'true' : nothing}>
      ${state.sending ? t('report.sending') : state.draft.damage ? t('report.send') : t('report.choose')}
    </button>
  </div>
</form>`;

const copy = async (/** @type {string} */ text) => {
  await navigator.clipboard.writeText(text).then(() => set({ copied: true }), () => {});
};

export const sent = () => {
  const { report: receipt, work_order: order, merged } = state.receipt;
  const address = link(receipt.tracking_token);
  return html`
    <p class="over good">${t(merged ? 'sent.merged' : 'sent.over')}</p>
    <h1 class="code number">${receipt.code}</h1>
    <dl class="facts">
      <div><dt>${t('sent.due')}</dt><dd class="big number">${clock(order.due_at)}</dd></div>
      <div><dt>${t('sent.unit')}</dt><dd>${order.responsible_unit.name}</dd></div>
      <div><dt>${t('sent.order')}</dt><dd class="number">${order.code}</dd></div>
    </dl>
    <p class="hint">${t('sent.secret')}</p>
    <p class="link"><a href=${address}>${address}</a></p>
    <div class="foot">
      <button class="first" type="button" @click=${() => go(receipt.tracking_token)}>${t('sent.follow')}</button>
      ${navigator.clipboard ? html`<button class="second" type="button" @click=${() => copy(address)}>${t(state.copied ? 'sent.copied' : 'sent.copy')}</button>` : nothing}
      <button class="plain" type="button" @click=${lift}>${t('sent.another')}</button>
    </div>`;
};
