// Open orders, most urgent first: everything on the map is in this list too.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { countdown, moment } from '../format.js';
import { t, tOr } from '../i18n.js';
import { look } from '../map/map.js';
import { closedOrders, openOrders } from '../orders.js';
import { set, state } from '../state.js';
import { left, shown } from '../status.js';
import { pill, shape } from './pieces.js';

/** Orders in the list; the rest is counted. */
const MOST = 200;

/** How long an order that moved is marked. */
const MOVED = 6000;

const figure = (/** @type {import('../status.js').Shown} */ kind, /** @type {number} */ count) => html`<div class="figure is-${kind} ${count ? '' : 'zero'}">
  <dt>${shape(kind)}${t(`shown.${kind}`)}</dt>
  <dd class="number">${count}</dd>
</div>`;

const cover = (/** @type {any} */ order) =>
  order.cover ? tOr(`category.${order.cover.category.code}`, order.cover.category.name) : t('order.nocover');

const line = (/** @type {any} */ order) => {
  const kind = shown(order);
  const fresh = order.moved_at && Date.now() - order.moved_at < MOVED;
  const open = state.order === order.code;
  return html`<li class="${fresh ? 'moved' : ''} ${open ? 'open' : ''}" data-code=${order.code}>
    <button type="button" aria-expanded=${open} @click=${() => {
      set({ order: open ? '' : order.code });
      look(order.position.lon, order.position.lat, 16.5);
    }}>
      <span class="what">
        <strong>${tOr(`damage.${order.damage}`, order.damage)} · ${cover(order)}</strong>
        <span>${order.grid.name}</span>
        <span>${order.responsible_unit.name}</span>
      </span>
      <span class="how">
        <strong class="number is-${kind}">${kind === 'closed' ? moment(order.closed_at ?? order.due_at) : countdown(left(order))}</strong>
        ${pill(kind, kind === 'doing' ? t(`order.${order.status}`) : undefined)}
      </span>
    </button>
    ${open
      ? html`<dl class="facts">
          <div><dt>${t('sent.order')}</dt><dd class="number">${order.code}</dd></div>
          <div><dt>${t('order.opened')}</dt><dd class="number">${moment(order.opened_at)}</dd></div>
          <div><dt>${t('sent.due')}</dt><dd class="number">${moment(order.due_at)}</dd></div>
          <div><dt>${t('order.reports')}</dt><dd class="number">${order.report_count}</dd></div>
        </dl>`
      : nothing}
  </li>`;
};

export const orders = () => {
  if (!state.me) {
    return html`<h1>${t('orders.title')}</h1>
      <p class="lead">${t('orders.key')}</p>
      <div class="foot"><button class="first" type="button" @click=${() => document.querySelector('dialog')?.showModal()}>${t('key.enter')}</button></div>`;
  }
  const [all, closed] = [openOrders(), closedOrders()];
  const count = (/** @type {string} */ kind) => all.filter((order) => shown(order) === kind).length;
  return html`<h1 class="unseen">${t('orders.title')}</h1>
    <dl class="figures">${/** @type {const} */ (['overdue', 'soon', 'doing', 'waiting']).map((kind) => figure(kind, count(kind)))}</dl>
    ${all.length === 0 ? html`<p class="lead empty">${t(state.live === 'live' ? 'orders.none' : 'orders.loading')}</p>` : nothing}
    <ul class="queue">${all.slice(0, MOST).map(line)}</ul>
    ${all.length > MOST ? html`<p class="hint">${t('orders.more', { n: all.length - MOST })}</p>` : nothing}
    ${closed.length > 0
      ? html`<h2 class="group">${t('orders.closed')}</h2>
        <ul class="queue closed">${closed.map(line)}</ul>`
      : nothing}`;
};
