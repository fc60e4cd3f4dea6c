// From a pin to what it means: grid, candidates, and its numbers in every coordinate system.
import { get, own, problemOf } from './api.js';
import { t } from './i18n.js';
import { say, sayProblem, set, state } from './state.js';

export const SYSTEMS = [
  { crs: 'EPSG:4326', name: 'WGS 84', projected: false },
  { crs: 'EPSG:4490', name: 'CGCS2000', projected: false },
  { crs: 'GCJ-02', name: 'GCJ-02', projected: false },
  { crs: 'BD-09', name: 'BD-09', projected: false },
  { crs: 'EPSG:4549', name: 'EPSG:4549', projected: true },
  { crs: 'EPSG:4528', name: 'EPSG:4528', projected: true },
  { crs: 'EPSG:3857', name: 'EPSG:3857', projected: true },
];

export const isProjected = (/** @type {string} */ crs) => SYSTEMS.some((one) => one.crs === crs && one.projected);

/** Metres off that a number typed is taken to be, and a click on a map at least. */
export const CLICKED = 5;

/** Metres off from which a pin had better be put right by hand. */
const POOR = 20;

/** What there is to say about how exact the pin is; with `lead` in a sentence. */
export function poor(lead = '') {
  const metres = state.view === 'locate' && state.pin?.accuracy_m;
  if (!metres || metres < POOR) return '';
  return t(['pin.poor', state.map ? lead : 'nomap'].filter(Boolean).join('.'), { n: Math.round(metres) });
}

/** The request under way: a later pin makes it pointless. */
let under = new AbortController();

/** What was asked last. @type {Record<string, string>} */
let asked = {};

/** Asks once more. */
export const again = () => resolve(asked);

/**
 * @param {Record<string, string>} query
 */
async function resolve(query) {
  asked = query;
  under.abort();
  under = new AbortController();
  set({ resolving: true, pinProblem: null, step: 'pin', view: 'locate', receipt: null, sendProblem: null });
  const { signal } = under;
  try {
    const words = new URLSearchParams({ ...query, limit: '6', include: 'open_orders' });
    const resolution = await get(`/v1/resolve?${words}`, { signal });
    const first = resolution.match === 'matched' ? resolution.candidates[0]?.cover.code : undefined;
    const pin = { ...resolution.position, accuracy_m: Number(query.accuracy_m) };
    set({ resolution, resolving: false, choice: first ?? 'none', pin });
    const said = t('said.pin', { grid: resolution.grid.name, n: resolution.candidates.length, match: t(`match.${resolution.match}`) });
    say(`${said} ${poor()}`.trim());
    await showNumbers(signal);
  } catch (error) {
    if (signal.aborted) return;
    const pinProblem = problemOf(error);
    set({ resolving: false, resolution: null, pinProblem });
    sayProblem(pinProblem);
  }
}

/** Writes the pin's numbers in the system chosen into the fields. */
async function showNumbers(/** @type {AbortSignal | undefined} */ signal) {
  const { pin, crs } = state;
  if (!pin) return;
  const asked = new URLSearchParams({ lon: String(pin.lon), lat: String(pin.lat), limit: '1', out_crs: crs });
  const at = crs === 'EPSG:4326' ? pin : (await get(`/v1/resolve?${asked}`, { signal })).position;
  const [east, north] = isProjected(crs) ? [at.x.toFixed(3), at.y.toFixed(3)] : [at.lon.toFixed(7), at.lat.toFixed(7)];
  set({ east, north, typedFault: null });
}

/**
 * @param {number} lon
 * @param {number} lat
 * @param {number} [accuracy]
 */
export function drop(lon, lat, accuracy = CLICKED) {
  set({ pin: { lon, lat, accuracy_m: accuracy } });
  const accuracy_m = Math.min(1000, Math.max(1, accuracy)).toFixed(0);
  return resolve({ lon: lon.toFixed(8), lat: lat.toFixed(8), accuracy_m });
}

/** What was typed, with the digits and signs of ASCII: Chinese keyboards have full-width ones (１２０．３，). */
const ascii = (/** @type {string} */ text) => text.normalize('NFKC').trim();

/** The two numbers in a text such as "120.33641, 36.11537". */
export function pairIn(/** @type {string} */ text) {
  const numbers = ascii(text).split(/[\s,;、]+/).filter(Boolean);
  const [east, north] = numbers;
  const isPair = numbers.length === 2 && numbers.every((number) => Number.isFinite(Number(number)));
  return isPair ? /** @type {[string, string]} */ ([east, north]) : undefined;
}

/** The first of the fields that holds no number, and what to say of it. @returns {import('./state.js').TypedFault | null} */
function faultTyped() {
  for (const member of /** @type {const} */ (['east', 'north'])) {
    const text = ascii(state[member]);
    if (text === '') return { member, says: 'typed.missing' };
    if (!Number.isFinite(Number(text))) return { member, says: isProjected(state.crs) ? 'typed.metres' : 'typed.degrees' };
  }
  return null;
}

/** Drops the pin where the fields say. */
export function dropTyped() {
  const typedFault = faultTyped();
  set({ typedFault, pinProblem: null });
  if (typedFault) return undefined;
  const [east, north] = isProjected(state.crs) ? ['x', 'y'] : ['lon', 'lat'];
  return resolve({ [east]: ascii(state.east), [north]: ascii(state.north), crs: state.crs, accuracy_m: String(CLICKED) });
}

/** @param {string} crs */
export async function chooseSystem(crs) {
  set({ crs, east: '', north: '', typedFault: null });
  try {
    await showNumbers(undefined);
  } catch (error) {
    set({ pinProblem: problemOf(error) });
  }
}

export function lift() {
  under.abort();
  set({ pin: null, resolution: null, pinProblem: null, resolving: false, step: 'pin', receipt: null, east: '', north: '', typedFault: null });
}

/** Drops the pin where the device is. */
export function dropHere() {
  set({ resolving: true, pinProblem: null });
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => drop(coords.longitude, coords.latitude, coords.accuracy),
    () => set({ resolving: false, pinProblem: own(state.map ? 'here.refused' : 'here.refused.nomap') }),
    { enableHighAccuracy: true, timeout: 10_000 },
  );
}
