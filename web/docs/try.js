/** Sending what a form says, and showing what comes back. */

import { SAMPLE, authorization, remember } from './fill.js';

/** In an address; the path of a file keeps its slashes. @param {string} value @param {boolean} file */
const escaped = (value, file) => (file ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value));

/** @param {HTMLFormElement} form @param {{path: string, method: string, parameters?: any[]}} operation */
export async function send(form, operation) {
  const values = new FormData(form);
  const query = new URLSearchParams();
  const headers = new Headers(authorization());
  let path = operation.path;
  for (const parameter of operation.parameters ?? []) {
    const value = String(values.get(`${parameter.in}:${parameter.name}`) ?? '').trim();
    if (value === '') continue;
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, escaped(value, parameter.name === 'file'));
    if (parameter.in === 'query') query.set(parameter.name, value);
    if (parameter.in === 'header') headers.set(parameter.name, value);
  }
  /** @type {any} */
  let body;
  const type = String(values.get('type') ?? '');
  if (type.startsWith('multipart/')) {
    body = new FormData();
    const mapping = String(values.get('mapping') ?? '').trim();
    if (mapping) body.append('mapping', mapping);
    const file = /** @type {File} */ (values.get('file'));
    body.append('file', file.name ? file : new File([SAMPLE.text], SAMPLE.name));
  } else if (type) {
    headers.set('Content-Type', type);
    body = String(values.get('body'));
  }
  const address = path + (query.size > 0 ? `?${query}` : '');
  const response = await fetch(address, { method: operation.method.toUpperCase(), headers, body });
  const text = await read(response);
  remember(text);
  return { address, status: `${response.status} ${response.statusText}`, headers: [...response.headers], body: text };
}

/** The beginning of an answer: a stream is not waited for to its end. */
async function read(response) {
  const most = 200_000;
  if (!response.body) return '';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const late = new Promise((resolve) => { setTimeout(() => resolve({ done: true }), 5_000); });
  let text = '';
  while (text.length < most) {
    const { done, value } = await Promise.race([reader.read(), late]);
    if (done) break;
    text += value;
  }
  await reader.cancel().catch(() => {});
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text.length < most ? text : `${text}\n…`;
  }
}
