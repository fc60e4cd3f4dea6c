/** The API, readable and to be tried, from its own description. */

import { html, nothing, render } from '../vendor/lit-html/lit-html.js';
import { example, members, operations, resolved, typeName } from './document.js';
import { SAMPLE, fill } from './fill.js';
import { send } from './try.js';

const place = document.getElementById('page');
const json = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));
const anchor = (operation) => operation.operationId;

/** A line, with `code` as code. @param {string} text */
const line = (text) => (text ?? '').split('`').map((part, n) => (n % 2 ? html`<code>${part}</code>` : part));

/** @param {string} text */
const prose = (text) => (text ?? '').split(/\n\s*\n/).filter(Boolean).map((one) => html`<p>${line(one)}</p>`);

function table(api, rows) {
  if (rows.length === 0) return nothing;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="members"><table>
    ${rows.map((row) => html`<tr>
      <th scope="row"><code>${row.name}</code>${row.needed ? html` <span class="needed">needed</span>` : nothing}</th>
      <td>${row.where ?? ''}</td><td class="type">${row.type}</td><td>${prose(row.description)}</td>
    </tr>`)}
  </table></div>`;
}

function parameters(api, operation) {
  return table(api, (operation.parameters ?? []).map((given) => {
    const one = resolved(api, given);
    return { name: one.name, where: one.in, type: typeName(api, one.schema), needed: one.required, description: one.description };
  }));
}

function content(api, entries) {
  return Object.entries(entries ?? {}).map(([type, one]) => html`
    <h4>${type}</h4>
    ${table(api, members(api, one.schema))}
    <pre tabindex="0">${json(example(api, one))}</pre>`);
}

function responses(api, operation) {
  return Object.entries(operation.responses).map(([status, given]) => {
    const one = resolved(api, given);
    return html`<details class="answer"><summary><b class=${`s${status[0]}`}>${status}</b> ${line(one.description)}</summary>
      ${table(api, Object.entries(one.headers ?? {}).map(([name, header]) => ({
        name, where: 'header', type: typeName(api, header.schema), description: header.description,
      })))}
      ${content(api, one.content)}</details>`;
  });
}

function field(api, given) {
  const one = resolved(api, given);
  // A position is what makes an optional one worth sending.
  const worth = one.required || one.in === 'path' || one.name === 'lon' || one.name === 'lat';
  const value = worth ? one.example ?? '' : '';
  return html`<label><span>${one.name} <small>${one.in}</small></span>
    <input name=${`${one.in}:${one.name}`} .value=${String(value)} placeholder=${String(one.example ?? '')} autocomplete="off"></label>`;
}

function body(api, operation) {
  const [type, one] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (!type) return nothing;
  if (type.startsWith('multipart/')) {
    return html`<input type="hidden" name="type" .value=${type}><label><span>file</span><input type="file" name="file"></label>
      <label class="wide"><span>mapping <small>goes with the file, unless it is empty</small></span><textarea name="mapping" rows="8" spellcheck="false" .value=${json(SAMPLE.mapping)}></textarea></label>`;
  }
  return html`<input type="hidden" name="type" .value=${type}>
    <label class="wide"><span>body <small>${type}</small></span><textarea name="body" rows="8" spellcheck="false" .value=${json(example(api, one))}></textarea></label>`;
}

/** The filling under way of each form. @type {Map<HTMLFormElement, Promise<void>>} */
const filling = new Map();

/** Fills a form with what is there, and writes beside it what is to be known. */
function refill(form, operation, api) {
  const notes = fill(form, operation, api).catch((error) => [String(error)]);
  filling.set(form, notes.then((all) => render(all.map((note) => html`<p>${note}</p>`), form.querySelector('.notes'))));
}

/** What was typed stays; another code has another version. */
function typed({ target }, operation, api) {
  target.dataset.typed = 'yes';
  if (target.name.startsWith('path:')) refill(target.form, operation, api);
}

async function attempt(event, operation, api) {
  event.preventDefault();
  const form = event.currentTarget;
  const out = form.querySelector('output');
  render(html`<p>…</p>`, out);
  await filling.get(form);
  try {
    const got = await send(form, operation);
    render(html`<p><b>${got.status}</b> <code>${got.address}</code></p>
      <pre tabindex="0">${got.headers.map(([name, value]) => `${name}: ${value}\n`)}</pre><pre tabindex="0">${got.body}</pre>`, out);
    // What was there may be another version now, or gone.
    if (operation.method !== 'get') refillAll();
  } catch (error) {
    render(html`<p>${String(error)}</p>`, out);
  }
}

/** What stands below an operation's line. */
function inside(api, one) {
  const shown = { ...one, parameters: (one.parameters ?? []).map((given) => resolved(api, given)) };
  return html`${prose(one.description)}
    ${one.parameters?.length ? html`<h3>Parameters</h3>${parameters(api, one)}` : nothing}
    ${one.requestBody ? html`<h3>Body</h3>${content(api, one.requestBody.content)}` : nothing}
    <h3>Answers</h3>${responses(api, one)}
    <h3>Try it</h3>
    <form @submit=${(event) => attempt(event, shown, api)} @change=${(event) => typed(event, shown, api)}>
      <div class="notes wide"></div>
      ${shown.parameters.map((given) => field(api, given))}${body(api, one)}
      <button type="submit">Send ${one.method.toUpperCase()}</button><output aria-live="polite"></output>
    </form>`;
}

/** An operation is written when it is opened: all of them at once are slow to lay out. */
function operation(api, one) {
  const fill = ({ currentTarget: details }) => {
    const room = details.querySelector('.inside');
    if (!details.open) return;
    if (room.childElementCount === 0) render(inside(api, one), room);
    refill(room.querySelector('form'), one, api);
  };
  return html`<details class="operation" id=${anchor(one)} @toggle=${fill}>
    <summary><b class="method ${one.method}">${one.method}</b> <code>${one.path}</code> <span>${one.summary}</span></summary>
    <div class="inside"></div>
  </details>`;
}

function keep(event) {
  sessionStorage.setItem('docs-key', event.currentTarget.value.trim());
}

/** Another key finds other things. */
function refillAll() {
  for (const details of document.querySelectorAll('details.operation[open]')) details.dispatchEvent(new Event('toggle'));
}

function page(api) {
  const tags = operations(api);
  return html`
    <header>
      <h1>${api.info.title} <small>${api.info.version}</small></h1>
      ${prose(api.info.description)}
      <p><a href="/openapi.json">/openapi.json</a> · <a href="/">the map</a></p>
      <form class="key" @submit=${(event) => event.preventDefault()}>
        <label><span>Key for what is tried here; kept until this tab is closed</span>
          <input type="password" autocomplete="off" .value=${sessionStorage.getItem('docs-key') ?? ''} @input=${keep} @change=${refillAll}></label>
      </form>
      <nav aria-label="Contents">${tags.map((tag) => html`<a href=${`#tag-${tag.name.replaceAll(' ', '-')}`}>${tag.name}</a>`)}</nav>
    </header>
    ${tags.map((tag) => html`<section id=${`tag-${tag.name.replaceAll(' ', '-')}`}>
      <h2>${tag.name} <small>${tag.description}</small></h2>
      ${tag.operations.map((one) => operation(api, one))}</section>`)}`;
}

/** Opens what the address names. */
function open() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) named.open = true;
  named?.scrollIntoView();
}

const api = await (await fetch('/openapi.json')).json();
place.replaceChildren();
render(page(api), place);
document.body.classList.add('ready');
addEventListener('hashchange', open);
open();
