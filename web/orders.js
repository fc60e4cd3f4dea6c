// Open orders as they move: a list once, then one order for each event.
import { get, headers, keep, key, problemOf } from './api.js';
import { follow } from './events.js';
import { t } from './i18n.js';
import { say, sayProblem, set, state } from './state.js';
import { left, shown } from './status.js';

/** Without a sign of life for so long, what is shown may be old. The server gives one every 15 s. */
const STALE = 30_000;

let stop = () => {};

/** @type {Set<() => void>} */
const coverWatchers = new Set();

/** @param {() => void} watcher */
export function onCovers(watcher) {
  coverWatchers.add(watcher);
}

async function all() {
  const began = Date.now();
  const orders = new Map();
  for (let cursor = ''; ; ) {
    const more = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
    const page = await get(`/v1/work-orders?status=open&sort=due&limit=500${more}`);
    for (const order of page.items) orders.set(order.code, { ...order, read_at: Date.now() });
    if (!page.next) break;
    cursor = page.next;
  }
  // What an event brought while the list was read is newer than the list.
  for (const [code, order] of state.orders) if (order.moved_at > began) orders.set(code, order);
  set({ orders });
}

/** @param {string} code */
async function one(code) {
  try {
    const order = { ...(await get(`/v1/work-orders/${code}`)), read_at: Date.now(), moved_at: Date.now() };
    if ((state.orders.get(code)?.version ?? 0) <= order.version) state.orders.set(code, order);
  } catch (error) {
    // Handed to somebody whose orders this key does not see.
    if (problemOf(error).status === 404) state.orders.delete(code);
  }
  set({});
}

/**
 * What a district's stream says. Its first message comes before the list is read, so that nothing falls in between.
 * @returns {(message: import('./events.js').Message) => void}
 */
function listener() {
  let listed = false;
  return ({ event, data }) => {
    if (event === 'position' || event === 'reset') {
      if (event === 'position' && listed) return;
      listed = true;
      all().catch(() => (listed = false));
    } else if (event.startsWith('work_order.')) {
      one(JSON.parse(data).code);
    } else {
      for (const watcher of coverWatchers) watcher();
    }
  };
}

async function begin() {
  set({ live: 'connecting' });
  const { districts } = await get('/', { headers: { Accept: 'application/json' } });
  const streams = districts.map((/** @type {string} */ district) =>
    follow(`/v1/events?district=${district}`, headers, {
      message: listener(),
      heard: () => set({ live: 'live', heardAt: Date.now() }),
      // A key that was revoked opens nothing any more.
      lost: (status) => (status === 401 ? signOut() : set({ live: 'lost' })),
    }),
  );
  stop = () => streams.forEach((/** @type {() => void} */ end) => end());
}

/** Whether what is shown is as the service has it. */
export function fresh() {
  return state.live === 'live' && Date.now() - state.heardAt < STALE;
}

const isClosed = (/** @type {any} */ order) => shown(order) === 'closed';

/** Open orders, the most urgent first. */
export function openOrders() {
  return [...state.orders.values()].filter((order) => !isClosed(order)).sort((a, b) => left(a) - left(b));
}

/** Those that were closed since the list was read, the last first. */
export function closedOrders() {
  return [...state.orders.values()].filter(isClosed).sort((a, b) => (b.moved_at ?? 0) - (a.moved_at ?? 0));
}

/** @param {string} value */
export async function signIn(value) {
  keep(value);
  try {
    const me = await get('/v1/me');
    set({ me, keyProblem: null });
    await begin();
    return true;
  } catch (error) {
    keep('');
    const keyProblem = problemOf(error);
    set({ keyProblem });
    sayProblem(keyProblem);
    return false;
  }
}

export function signOut() {
  stop();
  keep('');
  set({ me: null, orders: new Map(), order: '', live: 'off', view: state.view === 'track' ? 'track' : 'locate' });
  say(t('said.out'));
}

export function resume() {
  const kept = key();
  return kept ? signIn(kept) : Promise.resolve(false);
}
