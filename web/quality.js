// What is wrong with the registry: read, chosen, mended, or accepted as it is.
import { change, get, once, post, problemOf } from './api.js';
import { language, t } from './i18n.js';
import { bounds } from './map/geometry.js';
import { frame } from './map/map.js';
import { onCovers } from './orders.js';
import { UNDECIDED, say, sayProblem, set, state } from './state.js';

/** Findings of a page, and pages at most: what is more is counted, and seen when narrowed. */
const PAGE = 1000;
const PAGES = 5;

/** Findings that the list shows at first, and more at each wish. */
export const SHOWN = 200;

/** Zooms at which a place is seen, and at which covers a metre apart are told from each other. */
const NEAR = 18;
export const NEAREST = 19.6;

/** Milliseconds after a change of the registry, which seldom comes alone. */
const SETTLED = 1000;

/** The reading under way: a later one makes it pointless. */
let under = new AbortController();
/** What was asked for last, and whether its answer may be old. */
let read = '';
let stale = true;

/** @typedef {{ state: string, severity: string, rule: string }} Asked */

/** @param {Partial<Asked>} asked @param {AbortSignal} signal @param {number} limit @param {number} most pages */
async function pages(asked, signal, limit, most) {
  const words = Object.entries(asked).filter(([, word]) => word);
  const items = [];
  for (let [page, cursor] = [1, '']; ; page++) {
    const query = new URLSearchParams([...words, ['limit', String(limit)], ...(cursor ? [['cursor', cursor]] : [])]);
    const answer = await get(`/v1/quality?${query}`, { signal });
    items.push(...answer.items);
    if (!answer.next || page >= most) return { items, counts: /** @type {Record<string, number>} */ (answer.counts) };
    cursor = answer.next;
  }
}

/** What is to be read, and in which words. */
const wanted = () => `${language} ${JSON.stringify(state.asked)}`;

/** @param {Record<string, number>} counts */
const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);

/** What was mended here last, if it still can be taken back. @param {AbortSignal} signal */
async function stillMended(signal) {
  const { mended } = state;
  if (!mended) return null;
  try {
    const { may, mended: how } = await get(`/v1/quality/${mended.finding.id}`, { signal });
    return may.includes('undo') ? { ...mended, href: how.undo.href } : null;
  } catch (error) {
    if (problemOf(error).status === 404) return null;
    throw error;
  }
}

/** Reads what is asked for, and how much there is of every rule. */
async function readAll() {
  under.abort();
  under = new AbortController();
  const { signal } = under;
  const { asked } = state;
  stale = false;
  read = wanted();
  try {
    const [found, whole, mended] = await Promise.all([
      pages(asked, signal, PAGE, PAGES),
      asked.severity || asked.rule ? pages({ state: asked.state }, signal, 1, 1) : null,
      stillMended(signal),
    ]);
    const { items, counts } = found;
    const again = hold();
    set({
      findings: { items, counts: whole?.counts ?? counts, total: sum(counts) },
      findingsProblem: null,
      mended,
      undoing: mended !== null && state.undoing,
      openFindings: asked.state === 'open' ? sum(whole?.counts ?? counts) : state.openFindings,
      ...(items.some((one) => one.id === state.finding) ? {} : { finding: '', verdict: UNDECIDED }),
    });
    again();
  } catch (error) {
    if (signal.aborted) return;
    const findingsProblem = problemOf(error);
    set({ findingsProblem });
    sayProblem(findingsProblem);
  }
}

/** Nothing that could be taken back. */
const NOTHING_MENDED = { mended: null, undoing: false, undoProblem: null };

/** As it is before anything was asked for or chosen. */
const ANY = { asked: { state: 'open', severity: '', rule: '' }, finding: '', verdict: UNDECIDED, verdictProblem: null, ...NOTHING_MENDED };

/** Reads again what may be old; not under the hands of somebody who is deciding. */
export function followFindings() {
  if (!state.me) {
    under.abort();
    stale = true;
    if (state.findings || state.findingsProblem) set({ findings: null, findingsProblem: null, openFindings: null, ...ANY });
    return;
  }
  if (state.view !== 'quality' || state.deciding || state.verdict.step || state.undoing) return;
  if (stale || read !== wanted()) readAll();
}

let later = 0;
onCovers(() => {
  clearTimeout(later);
  later = window.setTimeout(readAgain, SETTLED);
});

export function readAgain() {
  stale = true;
  set({ findingsProblem: null });
}

/** @param {Partial<Asked>} asked */
export function ask(asked) {
  set({ asked: { ...state.asked, ...asked }, findingsShown: SHOWN, finding: '', verdict: UNDECIDED, verdictProblem: null });
}

export const chosen = () => state.findings?.items.find((one) => one.id === state.finding);

/** What a finding says only by code: its covers and grids, and the owner that would mend it. @param {any} finding */
async function readThings({ id, subjects, mend }) {
  const named = subjects.filter((/** @type {any} */ one) => ['cover', 'grid'].includes(one.type));
  const hrefs = named.map((/** @type {any} */ one) => one.href);
  if (mend?.body?.owner) hrefs.push(`/v1/organizations/${mend.body.owner}`);
  await Promise.all(
    hrefs.map(async (/** @type {string} */ href) => {
      try {
        const thing = await get(href);
        set({ things: new Map(state.things).set(href, thing) });
      } catch (error) {
        if (state.finding === id) set({ verdictProblem: problemOf(error) });
      }
    }),
  );
}

/**
 * Opens a finding and goes where it is.
 * @param {string} id `''`: closes the one that is open
 * @param {boolean} [go]
 */
export function choose(id, go = true) {
  set({ finding: id, things: new Map(), verdict: UNDECIDED, verdictProblem: null });
  const finding = chosen();
  if (!finding) return;
  const nth = state.findings?.items.indexOf(finding) ?? 0;
  if (nth >= state.findingsShown) set({ findingsShown: nth + 1 });
  const show = () => requestAnimationFrame(() => document.querySelector(`[data-finding="${id}"]`)?.scrollIntoView({ block: 'nearest' }));
  show();
  const covers = finding.subjects.filter((/** @type {any} */ one) => one.type === 'cover');
  if (go && finding.geometry) frame(bounds(finding.geometry), covers.length > 1 ? NEAREST : NEAR);
  // What is read of it makes it longer.
  readThings(finding).then(() => state.finding === id && show());
}

/** Where what would be changed is read. @param {any} mend */
const target = ({ href }) => href.replace(/\/merge$/, '');

/** The version of what would be changed, once it is read: what changed since is not overwritten. @param {any} finding */
export const seen = ({ mend }) => (mend?.if_match ? state.things.get(target(mend))?.version : 1);

/** Answers after which what was read is old. */
const OLD = [404, 409, 410, 412];

/** @param {(finding: any) => Promise<unknown>} send @param {string} said */
async function decide(send, said) {
  const finding = chosen();
  if (!finding || state.deciding) return;
  const again = hold();
  set({ deciding: true, verdictProblem: null });
  try {
    await send(finding);
    set({ finding: '', verdict: UNDECIDED });
    say(t(said, { id: finding.id }));
    await readAll();
  } catch (error) {
    const verdictProblem = problemOf(error);
    set({ verdictProblem });
    sayProblem(verdictProblem);
    if (OLD.includes(verdictProblem.status)) await Promise.all([readAll(), readThings(finding)]);
  }
  set({ deciding: false });
  again();
}

const NOTHING_SENT = { what: '', key: '' };

/** What was sent to mend a finding and not answered yet: the same again is a repetition. */
let sending = NOTHING_SENT;

/** Sends the request that would mend it; the history of what it changes says why. */
export async function mend() {
  const before = state.mended?.finding;
  await decide(async (finding) => {
    const { id, rule, mend: { method, href, body, if_match: version } } = finding;
    const to = `${href}?${new URLSearchParams({ reason: `${rule} ${id}` })}`;
    const at = version ? seen(finding) : undefined;
    const what = JSON.stringify([to, at, body]);
    if (sending.what !== what) sending = { what, key: once() };
    await (method === 'POST' ? post(to, body, sending.key, at) : change(method, to, body, at));
    sending = NOTHING_SENT;
    set({ ...NOTHING_MENDED, mended: { finding, things: state.things, href: '', key: once() } });
  }, 'said.mended');
  const { mended } = state;
  if (mended?.href && mended.finding !== before) say(t('said.mended.undo', { id: mended.finding.id }));
}

/** Takes back what was mended here last; the history says of which finding. */
export async function undo() {
  const { mended } = state;
  if (!mended || state.deciding) return;
  const { finding: { id, rule }, href, key } = mended;
  set({ deciding: true, undoProblem: null });
  try {
    await post(`${href}?${new URLSearchParams({ reason: `${rule} ${id}` })}`, undefined, key);
    set(NOTHING_MENDED);
    say(t('said.undone', { id }));
    await readAll();
    // The finding is there again, if it is what is listed.
    requestAnimationFrame(() => (rows().find((row) => row.dataset.finding === id)?.querySelector('button') ?? first())?.focus());
  } catch (error) {
    const undoProblem = problemOf(error);
    set({ undoing: false, undoProblem });
    sayProblem(undoProblem);
    if (OLD.includes(undoProblem.status)) await readAll();
  }
  set({ deciding: false });
}

/** What was sent under the verdict's key: the same again is a repetition, anything else a new verdict. */
let sent = '';

/** @param {any} finding @param {any} ruling */
function rule({ id }, ruling) {
  const text = `${id} ${JSON.stringify(ruling)}`;
  const key = text === sent && state.verdict.key ? state.verdict.key : once();
  sent = text;
  set({ verdict: { ...state.verdict, key } });
  return post(`/v1/quality/${id}`, ruling, key);
}

export const accept = () => decide((finding) => rule(finding, { state: 'accepted', reason: state.verdict.reason }), 'said.accepted');

export const reopen = () => decide((finding) => rule(finding, { state: 'open' }), 'said.reopened');

/** @returns {HTMLElement[]} */
const rows = () => [...document.querySelectorAll('[data-finding]')].map((row) => /** @type {HTMLElement} */ (row));

/** Where the keys go on when there is nothing else. */
const first = () => /** @type {HTMLElement | null} */ (document.querySelector('.severities button'));

/** Keeps the focus on the finding that has it, or leaves it to the one that comes into its place. */
function hold() {
  const held = document.activeElement?.closest('[data-finding]');
  const nth = rows().findIndex((row) => row === held);
  const id = rows()[nth]?.dataset.finding;
  return () => {
    if (!id) return;
    requestAnimationFrame(() => {
      const now = rows();
      const same = now.find((row) => row.dataset.finding === id);
      if (same?.contains(document.activeElement)) return;
      const next = same ?? now[nth] ?? now.at(-1);
      (next?.querySelector('button') ?? first())?.focus();
    });
  };
}
