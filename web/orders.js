// Open orders as they move: a list once, then one order for each event.
import { get, headers, keep, key, problemOf } from './api.js';
import { follow } from './events.js';
import { t } from './i18n.js';
import { say, set, state } from './state.js';
import { left, shown } from './status.js';

/** Without a sign of life for so long, what is shown may be old. The server gives one every 15 s. */
const STALE = 30_000;

let stop = () => {};

/** @type {Set<(code: string, order: any) => void>} */
const watchers = new Set();
/** @type {Set<() => void>} */
const coverWatchers = new Set();

/** @param {(code: string, order: any) => void} watcher told of each order; with none, of all */
export function onOrder(watcher) {
  watchers.add(watcher);
}

/** @param {() => void} watcher */
export function onCovers(watcher) {
  coverWatchers.add(watcher);
}

function tell(code = '', order = null) {
  for (const watcher of watchers) watcher(code, order);
}

async function all() {
  const orders = new Map();
  for (let cursor = ''; ; ) {
    const more = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
    const page = await get(`/v1/work-orders?status=open&sort=due&limit=500${more}`);
    for (const order of page.items) orders.set(order.code, { ...order, read_at: Date.now() });
    if (!page.next) break;
    cursor = page.next;
  }
  set({ orders });
  tell();
}

/** @param {string} code */
async function one(code) {
  const order = { ...(await get(`/v1/work-orders/${code}`)), read_at: Date.now(), moved_at: Date.now() };
  state.orders.set(code, order);
  set({});
  tell(code, order);
}

/** @param {import('./events.js').Message} message */
function heard({ event, data }) {
  if (event === 'position' || event === 'reset') {
    if (event === 'reset' || !listed) all().then(() => (listed = true)).catch(() => {});
    return;
  }
  if (event.startsWith('work_order.')) one(JSON.parse(data).code).catch(() => {});
  else for (const watcher of coverWatchers) watcher();
}

let listed = false;

function begin() {
  listed = false;
  set({ live: 'connecting' });
  stop = follow('/v1/events', headers, {
    message: heard,
    heard: () => set({ live: 'live', heardAt: Date.now() }),
    lost: () => set({ live: 'lost' }),
  });
}

/** Whether what is shown is as the service has it. */
export function fresh() {
  return state.live === 'live' && Date.now() - state.heardAt < STALE;
}

/** Orders by what is most urgent; those done come last. */
export function queue() {
  const rank = (/** @type {any} */ order) => (shown(order) === 'closed' ? 1 : 0);
  return [...state.orders.values()].sort((a, b) => rank(a) - rank(b) || left(a) - left(b));
}

/** @param {string} value */
export async function signIn(value) {
  keep(value);
  try {
    const me = await get('/v1/me');
    set({ me, keyProblem: '' });
    begin();
    return true;
  } catch (error) {
    keep('');
    const { title } = problemOf(error);
    set({ keyProblem: title });
    say(title);
    return false;
  }
}

export function signOut() {
  stop();
  keep('');
  set({ me: null, orders: new Map(), order: '', live: 'off', view: state.view === 'orders' ? 'locate' : state.view });
  tell();
  say(t('said.out'));
}

export function resume() {
  const kept = key();
  return kept ? signIn(kept) : Promise.resolve(false);
}
