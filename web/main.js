// The page: fetches its words, draws its parts, and redraws what changed.
import { html, render } from './vendor/lit-html/lit-html.js';
import { get, key } from './api.js';
import { preferred, speak, t } from './i18n.js';
import { aim } from './map/aim.js';
import { look, lookAround, make, map, reloadCovers, showCovers } from './map/map.js';
import { drawFindings } from './map/findings-layer.js';
import { drawOrders } from './map/orders-layer.js';
import { drawPin } from './map/pin-layer.js';
import { touch } from './map/touch.js';
import { onCovers, resume } from './orders.js';
import { followFindings } from './quality.js';
import { onChange, set, state } from './state.js';
import { fromAddress, returned } from './track.js';
import { locate } from './views/locate.js';
import { orders } from './views/orders.js';
import { quality } from './views/quality.js';
import { report, sent } from './views/report.js';
import { dialogs, header, over, ways } from './views/shell.js';
import { track } from './views/track.js';

const place = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

function view() {
  if (state.view === 'track') return track();
  if (state.view === 'orders') return orders();
  if (state.view === 'quality') return quality();
  if (state.step === 'report') return report();
  return state.step === 'sent' ? sent() : locate();
}

let shownView = '';

/** What is new starts at its top; whoever pressed what is gone now goes on from its heading. */
function begin() {
  place('panel').scrollTop = 0;
  const [heading, focused] = [place('panel').querySelector('h1'), document.activeElement ?? document.body];
  // A dialog that has just been closed still has it, unseen.
  if (!heading || (focused !== document.body && focused.getClientRects().length > 0)) return;
  heading.tabIndex = -1;
  heading.focus();
}

function draw() {
  render(header(), place('header'));
  render(html`${ways()}<div class="view">${view()}</div>`, place('panel'));
  place('place').setAttribute('aria-label', t('place'));
  map?.getCanvas().setAttribute('aria-label', t('map.label'));
  render(over(), place('over'));
  render(dialogs(), place('dialogs'));
  const { view: name, step, resolution, tracked } = state;
  const now = `${name} ${step} ${name === 'locate' && Boolean(resolution)} ${name === 'track' && Boolean(tracked)}`;
  if (now !== shownView && shownView) begin();
  shownView = now;
  if (map) {
    drawPin(map);
    drawOrders(map);
    drawFindings(map);
  }
}

let looked = '';

/** Looks at what is new: a pin that means something, or the place of a report that is followed. */
function lookAtPlace() {
  const { view, pin, resolution, tracked } = state;
  if (view === 'orders' || view === 'quality') return;
  const place = view === 'track' ? tracked?.report.position : resolution && pin;
  const now = place ? `${view} ${place.lon} ${place.lat}` : looked;
  if (now === looked) return;
  looked = now;
  if (view === 'track') return look(place.lon, place.lat, 17.6);
  const covers = resolution.candidates.map((/** @type {any} */ one) => one.cover.position);
  // Covers that are mistaken for each other lie metres apart.
  lookAround(place, covers, resolution.match === 'ambiguous' ? 18.8 : 17.6);
}

let known = false;
function followKey() {
  if (known === Boolean(state.me)) return;
  known = Boolean(state.me);
  showCovers(known);
}

/** Once a second: what counts down. */
function tick() {
  if (state.me && !document.hidden) set({});
}

async function start() {
  performance.mark('guli.start');
  const [, tiles] = await Promise.all([speak(preferred()), get('/tiles/grids.json')]);
  document.body.classList.add('ready');
  known = Boolean(key());
  draw();
  onChange(draw);
  onChange(followFindings);
  performance.mark('guli.words');
  make(tiles.bounds, known);
  if (map) {
    touch(map);
    map.once('load', () => {
      draw();
      onChange(lookAtPlace);
      lookAtPlace();
      onChange(followKey);
    });
    aim(map);
  }
  let later = 0;
  onCovers(() => {
    clearTimeout(later);
    later = window.setTimeout(reloadCovers, 2000);
  });
  fromAddress();
  addEventListener('hashchange', returned);
  setInterval(tick, 1000);
  await resume();
}

start();
