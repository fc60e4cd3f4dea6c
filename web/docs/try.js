/** Sending what a form says, and showing what comes back. */

/** @param {HTMLFormElement} form @param {{path: string, method: string, parameters?: any[]}} operation */
export async function send(form, operation) {
  const values = new FormData(form);
  const query = new URLSearchParams();
  const headers = new Headers();
  let path = operation.path;
  for (const parameter of operation.parameters ?? []) {
    const value = String(values.get(`${parameter.in}:${parameter.name}`) ?? '').trim();
    if (value === '') continue;
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    if (parameter.in === 'query') query.set(parameter.name, value);
    if (parameter.in === 'header') headers.set(parameter.name, value);
  }
  const key = sessionStorage.getItem('docs-key');
  if (key) headers.set('Authorization', `Bearer ${key}`);
  /** @type {any} */
  let body;
  const type = String(values.get('type') ?? '');
  if (type.startsWith('multipart/')) {
    body = new FormData();
    body.append('file', values.get('file'));
  } else if (type) {
    headers.set('Content-Type', type);
    body = String(values.get('body'));
  }
  const address = path + (query.size > 0 ? `?${query}` : '');
  const response = await fetch(address, { method: operation.method.toUpperCase(), headers, body });
  return { address, status: `${response.status} ${response.statusText}`, headers: [...response.headers], body: await read(response) };
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
