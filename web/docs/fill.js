/** What a form begins with: things that are there now, as the key in use finds them, and why some cannot be tried. */

/** Where an order must stand for an action; what leads there. */
const STANDS = {
  accept: ['dispatched', 'a new one from POST /v1/reports'],
  arrive: ['accepted', 'accept'],
  secure: ['arrived', 'arrive'],
  repair: ['arrived,secured', 'arrive'],
  verify: ['repaired', 'repair'],
  close: ['verified', 'verify'],
};

const AREAS = { '/v1/subdistricts': '/v1/districts', '/v1/communities': '/v1/subdistricts', '/v1/grids': '/v1/communities' };

/** Things of which one that was changed is looked for. */
const MANY = 50;

/** What a small file says, and how it is read: sent where none is chosen. */
export const SAMPLE = {
  name: 'units.csv',
  text: '编码,名称,类型\n370203-TRY01,试用单位,utility\n',
  mapping: { kind: 'organizations', columns: { code: '编码', name: '名称', kind: '类型' } },
};

/** The token of the report that was sent from here last. */
let token = '';

/** Remembers what later requests need. @param {string} body */
export function remember(body) {
  token = /"tracking_token": "([^"]+)"/.exec(body)?.[1] ?? token;
}

/** @returns {Record<string, string>} */
export function authorization() {
  const key = sessionStorage.getItem('docs-key');
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** @param {string} address */
async function get(address) {
  const answer = await fetch(address, { headers: authorization() });
  return { status: answer.status, tag: answer.headers.get('etag'), body: answer.ok ? await answer.json() : null };
}

/** The last part of an address, and the list that the first braces are of. @param {string} path */
const parts = (path) => ({ head: path.split('/{')[0], last: path.split('/').pop() ?? '' });

/**
 * Finds something that the address may mean.
 * @param {string} head @param {string} last
 * @returns {Promise<{ code?: string, version?: number, note?: string }>}
 */
async function found(head, last) {
  const undo = last === 'undo';
  const [status, by] = STANDS[last] ?? [];
  const query = new URLSearchParams({ limit: String(undo ? MANY : 1), ...(status ? { status } : head === '/v1/work-orders' ? { status: 'open' } : {}) });
  const list = await get(`${head}?${query}`);
  if (!list.body) return { note: `${head} answers ${list.status}: a key that may read it fills this in.` };
  const items = list.body.items ?? [];
  const fits = undo ? items.find((one) => (head === '/v1/imports' ? one.can_undo : one.version > 1)) : items[0];
  const name = (/** @type {any} */ one) => one?.code ?? one?.id;
  if (fits) return { code: name(fits), version: fits.version };
  if (undo && items.length > 0) return { code: name(items[0]), note: 'Nothing here has been changed yet, so that there is nothing to take back: change one first.' };
  if (status) {
    const any = await get(`${head}?limit=1&status=open`);
    return { code: name(any.body?.items?.[0]), note: `No order is ${status.replace(',', ' or ')} now: that takes ${by} first.` };
  }
  return { note: `${head} has nothing yet: make one first${head === '/v1/work-orders' ? ', with POST /v1/reports' : ''}.` };
}

/** A square beside all that is served, where nobody has the ground yet. */
async function freeGround() {
  const { body } = await get('/tiles/districts.json');
  const [east, south] = [body.bounds[2] + 0.002, body.bounds[1]].map((degrees) => Number(degrees.toFixed(4)));
  const [farther, higher] = [east, south].map((degrees) => Number((degrees + 0.002).toFixed(4)));
  return { type: 'Polygon', coordinates: [[[east, south], [farther, south], [farther, higher], [east, higher], [east, south]]] };
}

/** The body of what makes or redraws areas, out of areas that are there. @param {string} path */
async function areas(path) {
  const list = await get(`${path === '/v1/grids/redraw' ? '/v1/grids' : AREAS[path]}?limit=1`);
  const one = list.body?.items?.[0];
  if (!one) return undefined;
  const { code, name, geometry, version } = one;
  if (path === '/v1/grids/redraw') return { grids: [{ code, name, geometry, version }], remove: [] };
  return { code: `${code}999`, name: '试用区域', geometry: await freeGround() };
}

/** The cover next to a place. @param {{ lon: number, lat: number }} position */
async function coverAt({ lon, lat }) {
  const { body } = await get(`/v1/resolve?lon=${lon}&lat=${lat}&accuracy_m=100&limit=1`);
  return body?.candidates[0]?.cover.code;
}

/** Why the first thing that there is may refuse it. */
const WHY = {
  delete: 'What is still used is not deleted (409, 422): areas with ground or something in them, organisations that something names.',
  '/v1/grids/redraw': 'This is a grid as it is: move some of its corners. With dry_run=true nothing changes.',
  '/v1/imports': 'With dry_run=true nothing changes. Without a file a small one is sent, which the mapping fits.',
  '/v1/imports/{id}/undo': 'The last import that can be taken back is the first of the list: this does it.',
  orders: 'For dispatchers and those whom the order is given to; other keys are refused (403).',
  areas: 'All ground of a district mostly belongs to somebody: this square lies beside it. With dry_run=true nothing changes.',
};

/**
 * Fills in what nobody has typed; says what is to be known.
 * @param {HTMLFormElement} form
 * @param {{ path: string, method: string }} operation
 * @param {any} api
 */
export async function fill(form, { path, method }, api) {
  const field = (/** @type {string} */ name) => /** @type {HTMLInputElement | null} */ (form.elements.namedItem(name));
  const put = (/** @type {string} */ name, /** @type {unknown} */ value) => {
    const input = field(name);
    if (input && value !== undefined && !input.dataset.typed) input.value = String(value);
  };
  const { head, last } = parts(path);
  const notes = [method === 'delete' ? WHY.delete : method === 'post' ? WHY[path] : ''];
  if (method === 'post' && head === '/v1/work-orders') notes.push(WHY.orders);
  if (AREAS[path] || path === '/v1/grids/redraw') {
    if (AREAS[path] && method === 'post') notes.push(WHY.areas);
    const body = method === 'post' ? await areas(path) : undefined;
    if (body) put('body', JSON.stringify(body, null, 2));
  }
  if (method === 'post' && (AREAS[path] || ['/v1/grids/redraw', '/v1/imports'].includes(path))) put('query:dry_run', 'true');
  if (path.startsWith('/assets/')) put('path:version', new URL(import.meta.url).pathname.split('/')[2]);
  if (path.startsWith('/v1/reports/{')) {
    if (token) put('path:tracking_token', token);
    else notes.push('The token is in the answer to POST /v1/reports: send one from here, and it is filled in.');
  }
  if (head !== path && api.paths[head]?.get && !path.startsWith('/v1/reports')) {
    const input = field('path:code') ?? field('path:id');
    const typed = input?.dataset.typed && input.value.trim();
    const { code, version, note } = typed ? { code: typed } : await found(head, last);
    notes.push(note);
    put('path:code', code);
    put('path:id', code);
    put('path:version', version);
    if (code && (field('header:If-Match') || method === 'put')) {
      const { tag, body } = await get(`${head}/${encodeURIComponent(code)}`);
      put('header:If-Match', tag ?? undefined);
      if (method === 'put' && body) put('body', JSON.stringify(body, null, 2));
      // Whoever arrives is where the order is, and the cover that is meant lies there.
      if (last === 'arrive' && body) put('body', JSON.stringify({ position: body.position }, null, 2));
      if (last === 'identify' && body) put('body', JSON.stringify({ cover: await coverAt(body.position), reason: '现场核实' }, null, 2));
    }
  }
  return notes.filter(Boolean);
}
