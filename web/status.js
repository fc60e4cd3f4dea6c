// What an order's state means to who watches: a colour, a shape and a word, always all three.

/** @typedef {'overdue'|'soon'|'doing'|'waiting'|'closed'} Shown */

export const ALL = /** @type {Shown[]} */ (['overdue', 'soon', 'doing', 'waiting', 'closed']);

/** Colours for the map; the style sheet has the same. */
export const COLOURS = { overdue: '#c4320a', soon: '#f2b233', doing: '#1e66c8', waiting: '#22303f', closed: '#3aa88a' };

/** Shapes, on 24 × 24. */
export const SHAPES = {
  overdue: 'M12 3 22 20.5H2Z',
  soon: 'M12 2.5 21.5 12 12 21.5 2.5 12Z',
  doing: 'M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16Z',
  waiting: 'M12 5.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13Z',
  closed: 'M4 12.5 9.5 18 20 6.5',
};

/** Seconds before its limit from which an order is due soon. */
const SOON = 600;

/**
 * Seconds left now, by the server's clock.
 * @param {any} order
 */
export function left(order) {
  const stopped = order.closed_at || ['repaired', 'verified', 'closed', 'cancelled'].includes(order.status);
  return order.seconds_left - (stopped ? 0 : (Date.now() - order.read_at) / 1000);
}

/**
 * @param {any} order
 * @returns {Shown}
 */
export function shown(order) {
  if (order.status === 'closed' || order.status === 'cancelled') return 'closed';
  const seconds = left(order);
  if (seconds < 0) return 'overdue';
  if (seconds <= SOON && !['repaired', 'verified'].includes(order.status)) return 'soon';
  return ['registered', 'dispatched', 'suspended'].includes(order.status) ? 'waiting' : 'doing';
}
