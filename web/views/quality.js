// What is wrong with the registry, the worst first: everything on the map is in this list too.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { moment } from '../format.js';
import { t, tOr } from '../i18n.js';
import { bounds } from '../map/geometry.js';
import { frame } from '../map/map.js';
import { LETTERS } from '../map/pin-layer.js';
import { NEAREST, SHOWN, accept, ask, choose, mend, readAgain, reopen, seen, undo } from '../quality.js';
import { RULES, SEVERITIES } from '../severity.js';
import { UNDECIDED, set, state } from '../state.js';
import { mark, refusal } from './pieces.js';

const value = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).value;

const rules = () => Object.keys(RULES).filter((rule) => !state.asked.severity || RULES[rule] === state.asked.severity);

/** @param {string[]} of */
const count = (of) => of.reduce((sum, rule) => sum + (state.findings?.counts[rule] ?? 0), 0);

/** A severity, to be chosen and let go. @param {import('../severity.js').Severity} severity */
const figure = (severity) => {
  const { asked } = state;
  const [on, found] = [asked.severity === severity, count(Object.keys(RULES).filter((rule) => RULES[rule] === severity))];
  const rule = RULES[asked.rule] === severity ? asked.rule : '';
  return html`<button class="figure is-${severity} ${found ? '' : 'zero'}" type="button" aria-pressed=${on}
    @click=${() => ask({ severity: on ? '' : severity, rule: on ? asked.rule : rule })}>
    <span>${mark(severity)}${t(`severity.${severity}`)}</span> <strong class="number">${found}</strong>
  </button>`;
};

/** @param {string} of @param {string} text */
const rule = (of, text) => html`<option value=${of} .selected=${of === state.asked.rule}>${text}</option>`;

/** @param {string} of */
const ruled = (of) => html`<option value=${of} .selected=${of === state.asked.state}>${t(`quality.${of}`)}</option>`;

const filters = () => html`
  <div class="figures severities" role="group" aria-label=${t('quality.severity')}>${SEVERITIES.map(figure)}</div>
  <div class="pair filters">
    <label class="field"><span>${t('quality.rule')}</span>
      <select name="rule" @change=${(/** @type {Event} */ e) => ask({ rule: value(e) })}>
        ${rule('', t('quality.all', { n: count(rules()) }))}
        ${rules().filter((one) => count([one]) || one === state.asked.rule).map((one) => rule(one, t('quality.of', { rule: t(`rule.${one}`), n: count([one]) })))}
      </select></label>
    <label class="field"><span>${t('quality.state')}</span>
      <select name="state" @change=${(/** @type {Event} */ e) => ask({ state: value(e) })}>${['open', 'accepted'].map(ruled)}</select></label>
  </div>`;

/** Goes on with what comes next, where the keys go on too. @param {''|'mend'|'accept'} step */
const step = (step) => {
  set({ verdict: { ...UNDECIDED, step }, verdictProblem: null });
  requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector('.finding .next'))?.focus());
};

/** What a request would do, in words; in its own where this page has none. @param {any} finding @param {Map<string, any>} things */
const mended = ({ mend: { method, href, body } }, things = state.things) => {
  const code = href.split('/').at(-1);
  if (body?.grids) return t('mend.redraw', { code: body.grids.map((/** @type {any} */ grid) => grid.code ?? grid.name).join(', ') });
  if (body?.into) return t('mend.merge', { code: href.split('/').at(-2), into: body.into });
  if (body?.owner) return t('mend.owner', { code, owner: things.get(`/v1/organizations/${body.owner}`)?.name ?? body.owner });
  if (body?.category) return t('mend.category', { code, category: tOr(`category.${body.category}`, body.category) });
  return `${method} ${href} ${JSON.stringify(body)}`;
};

/** @param {() => void} back */
const cancel = (back = () => step('')) => html`<button class="plain" type="button" @click=${back}>${t('cancel')}</button>`;

const choices = (/** @type {any} */ finding) => {
  const may = (/** @type {string} */ what) => finding.may.includes(what);
  if (finding.may.length === 0) return html`<p class="hint">${t('quality.read.only')}</p>`;
  // What removes is asked twice.
  const begin = () => (finding.mend.body?.into ? step('mend') : mend());
  return html`<div class="acts">
    ${may('mend') ? html`<button class="first next" type="button" ?disabled=${!seen(finding)} @click=${begin}>${t('mend.do')}</button>` : nothing}
    ${may('reopen') ? html`<button class="second next" type="button" @click=${reopen}>${t('quality.reopen')}</button>` : nothing}
    ${may('accept') ? html`<button class="second next" type="button" @click=${() => step('accept')}>${t('accept.begin')}</button>` : nothing}
  </div>`;
};

const merging = () => html`<p class="hint">${t('mend.merge.lead')}</p>
  <div class="acts"><button class="first next" type="button" @click=${mend}>${t('mend.merge.do')}</button>${cancel()}</div>`;

const accepting = () => html`<form @submit=${(/** @type {Event} */ e) => (e.preventDefault(), accept())}>
  <label class="field"><span>${t('accept.reason')}</span>
    <textarea class="next" name="reason" rows="2" maxlength="2000" required .value=${state.verdict.reason}
      @input=${(/** @type {Event} */ e) => (state.verdict.reason = value(e))}></textarea></label>
  <div class="acts"><button class="first" type="submit">${t('accept.do')}</button>${cancel()}</div>
</form>`;

/** @param {any} thing */
const place = (thing) => (thing?.position ? { type: 'Point', coordinates: [thing.position.lon, thing.position.lat] } : thing?.geometry);

/** Its code, which leads to its place once that is known. @param {any} subject @param {number} nth @param {any[]} all */
const subject = ({ type, code, href }, nth, all) => {
  const thing = state.things.get(href);
  const at = state.map && place(thing);
  const more = thing?.category
    ? `${tOr(`category.${thing.category.code}`, thing.category.name)} · ${thing.owner?.name ?? t('owner.unknown')}`
    : thing?.name;
  return html`<li>
    ${all.length > 1 ? html`<span class="letter" aria-hidden="true">${LETTERS[nth]}</span>` : nothing}
    <span class="what"><span>${t(`subject.${type}`)}
        ${at ? html`<button class="to number" type="button" @click=${() => frame(bounds(at), NEAREST)}>${code}</button>` : html`<span class="number">${code}</span>`}</span>
      ${more ? html`<span class="quiet">${more}</span>` : nothing}</span>
  </li>`;
};

const details = (/** @type {any} */ finding) => html`<div class="finding">
  <p class="hint">${t(`rule.${finding.rule}.why`)}${finding.geometry ? nothing : ` ${t('quality.nowhere')}`}</p>
  <ul class="subjects" aria-label=${t('quality.subjects')}>${finding.subjects.map(subject)}</ul>
  ${finding.state === 'accepted' && finding.ruling
    ? html`<p class="quote">${finding.ruling.reason}</p><p class="hint">${t('quality.ruled', { at: moment(finding.ruling.at) })}</p>`
    : nothing}
  <h3>${t('mend')}</h3>
  <p>${finding.mend ? mended(finding) : t('mend.none')}</p>
  ${refusal(state.verdictProblem)}
  ${state.verdict.step === 'mend' ? merging() : state.verdict.step === 'accept' ? accepting() : choices(finding)}
</div>`;

const line = (/** @type {any} */ finding) => {
  const open = state.finding === finding.id;
  return html`<li class=${open ? 'open' : ''} data-finding=${finding.id}>
    <button type="button" aria-expanded=${open} @click=${() => choose(open ? '' : finding.id)}>
      ${mark(finding.severity)}
      <span class="what">
        <strong class="number">${finding.subjects.map((/** @type {any} */ one) => one.code).join(' · ')}</strong>
        <span>${finding.detail}</span>
      </span>
    </button>
    ${open ? details(finding) : nothing}
  </li>`;
};

/** @param {string} of @param {any[]} found */
const group = (of, found) => html`<h2 class="group"><span class="pill is-${found[0].severity}">${mark(found[0].severity)}${t(`severity.${found[0].severity}`)}</span>
    ${t(`rule.${of}`)} <span class="number quiet">${count([of])}</span></h2>
  <ul class="queue findings">${found.map(line)}</ul>`;

const list = (/** @type {import('../state.js').Findings} */ { items, total }) => {
  /** @type {Map<string, any[]>} */
  const groups = new Map();
  for (const one of items.slice(0, state.findingsShown)) groups.set(one.rule, [...(groups.get(one.rule) ?? []), one]);
  const more = items.length - state.findingsShown;
  return html`
    ${items.length === 0 ? html`<p class="lead empty">${t('quality.none')}</p>` : nothing}
    ${[...groups].map(([of, found]) => group(of, found))}
    ${more > 0 ? html`<button class="second again" type="button" @click=${() => set({ findingsShown: state.findingsShown + SHOWN })}>${t('quality.more', { n: Math.min(more, SHOWN) })}</button>` : nothing}
    ${total > items.length ? html`<p class="hint">${t('quality.unread', { n: total - items.length })}</p>` : nothing}`;
};

/** Asks again, or lets go, where the keys go on too. @param {boolean} undoing */
const undoStep = (undoing) => {
  set({ undoing, undoProblem: null });
  requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector('.mended .next'))?.focus());
};

/** What taking back would do, in words. @param {any} finding */
const undone = ({ mend: { body } }) => {
  if (body?.into) return t('undo.remove');
  return t(body?.category ? 'undo.category' : 'undo.edit');
};

/** What was mended here last, and the way back. @param {import('../state.js').Mended} mended */
const lastMended = ({ finding, things }) => html`<section class="mended" aria-labelledby="mended-title">
  <div><h2 id="mended-title">${t('undo.title')}</h2>
    <p>${mended(finding, things)}</p></div>
  ${state.undoing
    ? html`<p class="hint" id="undo-means">${undone(finding)} ${t('undo.lead')}</p>
        <div class="acts"><button class="first next" type="button" aria-describedby="undo-means" @click=${undo}>${t('undo.do')}</button>${cancel(() => undoStep(false))}</div>`
    : html`<div class="acts"><button class="second next" type="button" @click=${() => undoStep(true)}>${t('undo.begin')}</button></div>`}
</section>`;

export const quality = () => {
  const { findings, findingsProblem, verdictProblem, finding, mended, undoProblem } = state;
  return html`<div>
    <h1 class="unseen">${t('quality.title')}</h1>
    ${filters()}
    ${mended?.href ? lastMended(mended) : nothing}
    ${refusal(undoProblem)} ${refusal(findingsProblem)} ${finding ? nothing : refusal(verdictProblem)}
    ${findingsProblem ? html`<button class="second again" type="button" @click=${readAgain}>${t('quality.again')}</button>` : nothing}
    ${findings ? list(findings) : findingsProblem ? nothing : html`<p class="lead empty">${t('quality.loading')}</p>`}
  </div>`;
};
