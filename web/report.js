// Sending what is wrong there.
import { once, post, problemOf } from './api.js';
import { language, t } from './i18n.js';
import { say, sayProblem, set, state } from './state.js';

export const DAMAGES = [
  'missing', 'broken', 'displaced', 'loose', 'overflow', 'sunken', 'raised', 'surround_damaged', 'noisy', 'other',
];

export function begin() {
  set({ step: 'report', sendProblem: null, draft: { ...state.draft, damage: '', description: '', key: '' } });
}

function body() {
  const { pin, draft, choice, resolution } = state;
  const text = (/** @type {string} */ value) => value.trim() || undefined;
  const reporter = { name: text(draft.name), phone: text(draft.phone), language };
  return {
    position: pin && { lon: pin.lon, lat: pin.lat, accuracy_m: Math.min(1000, pin.accuracy_m) },
    damage: draft.damage,
    cover: /^\d+$/.test(choice) ? choice : undefined,
    // The service would take the one that the pin means.
    unregistered: pin && choice === 'none' && resolution?.match === 'matched' ? true : undefined,
    joins: choice.startsWith('join:') ? choice.slice(5) : undefined,
    description: text(draft.description),
    reporter: reporter.name || reporter.phone ? reporter : undefined,
    channel: 'web',
  };
}

/** What was sent under the draft's key: the same again is a repetition, anything else a new report. */
let sent = '';

export async function send() {
  const { draft } = state;
  if (!draft.damage || state.sending) return;
  const report = body();
  const text = JSON.stringify(report);
  if (!draft.key || text !== sent) draft.key = once();
  sent = text;
  set({ sending: true, sendProblem: null });
  try {
    const receipt = await post('/v1/reports', report, draft.key);
    set({ sending: false, receipt, step: 'sent', copied: false, draft: { ...draft, damage: '', description: '', key: '' } });
    say(t('said.sent', { code: receipt.work_order.code }));
  } catch (error) {
    const sendProblem = problemOf(error);
    set({ sending: false, sendProblem });
    sayProblem(sendProblem);
    queueMicrotask(showProblem);
  }
}

/** Fields by what the service calls them. */
const FIELDS = /** @type {Record<string, string>} */ ({
  '/description': 'description',
  '/reporter/name': 'name',
  '/reporter/phone': 'phone',
});

/** What is wrong with a field. @param {string} field */
export function faultOf(field) {
  const faults = state.sendProblem?.errors.filter(({ pointer }) => FIELDS[pointer ?? ''] === field) ?? [];
  return faults.map(({ detail }) => detail).join(' ');
}

/** What was refused, if it is not said beside a field. */
export function refusedElsewhere() {
  const { sendProblem } = state;
  const beside = sendProblem?.errors.length && sendProblem.errors.every(({ pointer }) => FIELDS[pointer ?? '']);
  return beside ? null : sendProblem;
}

/** Goes to the field that is wrong, or to what was refused: either may lie where nobody looks. */
function showProblem() {
  const field = /** @type {HTMLElement | null} */ (document.querySelector('#panel [aria-invalid=true]'));
  field?.focus({ preventScroll: true });
  (field ?? document.querySelector('#panel .refusal'))?.scrollIntoView({ block: field ? 'center' : 'nearest' });
}
