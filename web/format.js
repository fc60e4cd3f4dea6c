// Numbers and times as people read them.
import { language, t } from './i18n.js';

/** @param {number} metres */
export function distance(metres) {
  return `${metres < 10 ? metres.toFixed(1) : Math.round(metres)} m`;
}

/** @param {number} share */
export function percent(share) {
  if (share > 0.995) return '> 99%';
  return share < 0.01 ? '< 1%' : `${Math.round(share * 100)}%`;
}

/** @param {string | number | Date} at */
export function clock(at) {
  return new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hour12: false }).format(new Date(at));
}

/** @param {string | number | Date} at */
export function moment(at) {
  const date = new Date(at);
  if (date.toDateString() === new Date().toDateString()) return clock(at);
  const day = new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric' }).format(date);
  return `${day} ${clock(at)}`;
}

const two = (/** @type {number} */ number) => String(number).padStart(2, '0');

/**
 * Time left as on a clock; what is over has a plus before it.
 * @param {number} seconds
 */
export function countdown(seconds) {
  const left = Math.abs(Math.trunc(seconds));
  const [hours, minutes] = [Math.trunc(left / 3600), Math.trunc((left % 3600) / 60)];
  const sign = seconds < 0 ? '+' : '';
  if (hours >= 48) return sign + t('days', { n: Math.trunc(hours / 24) });
  return sign + (hours > 0 ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${two(minutes)}:${two(left % 60)}`);
}

/** @param {number} lon @param {number} lat */
export function lonLat(lon, lat) {
  return `${lon.toFixed(5)}, ${lat.toFixed(5)}`;
}
