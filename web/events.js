// Server-sent events over `fetch`: `EventSource` cannot send a key.

/**
 * @typedef {{ id: string, event: string, data: string }} Message
 * @typedef {{ message: (message: Message) => void, heard: () => void, lost: (status: number) => void }} Listener
 */

/**
 * Reads messages out of text that comes in pieces.
 * @param {(message: Message) => void} give
 */
export function reader(give) {
  let rest = '';
  let message = { id: '', event: 'message', data: '' };
  return (/** @type {string} */ text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const whole of lines) {
      const line = whole.replace(/\r$/, '');
      if (line === '') {
        if (message.data) give(message);
        message = { id: message.id, event: 'message', data: '' };
        continue;
      }
      const [, field, value] = line.match(/^([^:]*):? ?(.*)$/) ?? [];
      if (field === 'data') message.data += message.data ? `\n${value}` : value;
      if (field === 'id' || field === 'event') message[field] = value;
    }
  };
}

/** Between two tries, in milliseconds. */
const FIRST = 1000;
const LONGEST = 30_000;

/**
 * Follows a stream until told to stop; goes on where it was cut off.
 * @param {string} address
 * @param {() => Record<string, string>} headers
 * @param {Listener} listener
 */
export function follow(address, headers, listener) {
  const stop = new AbortController();
  let last = '';
  let wait = FIRST;

  /** Follows until it is cut off, or tells with which status it was refused. */
  async function once() {
    const more = last ? { 'Last-Event-ID': last } : {};
    const answer = await fetch(address, { headers: { ...headers(), ...more }, signal: stop.signal, cache: 'no-store' });
    if (!answer.ok || !answer.body) return answer.status;
    wait = FIRST;
    listener.heard();
    const read = reader((message) => {
      last = message.id || last;
      listener.message(message);
    });
    const text = new TextDecoder();
    for (const pieces = answer.body.getReader(); ; ) {
      const { done, value } = await pieces.read();
      if (done) return 0;
      listener.heard();
      read(text.decode(value, { stream: true }));
    }
  }

  (async () => {
    while (!stop.signal.aborted) {
      const status = await once().catch(() => 0);
      if (stop.signal.aborted) return;
      listener.lost(status);
      if (stop.signal.aborted) return;
      await new Promise((go) => setTimeout(go, wait));
      wait = Math.min(wait * 2, LONGEST);
    }
  })();
  return () => stop.abort();
}
