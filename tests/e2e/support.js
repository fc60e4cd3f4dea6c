// A fresh browser against the service at GULI_URL; what it complains of is kept.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { chromium } from 'playwright-core';

export const URL_ = process.env.GULI_URL ?? 'http://127.0.0.1:8080';

export const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

/** A cover with nothing near it, in the demo district. */
export const ALONE = { lon: 120.33641, lat: 36.11537, grid: '明泽社区第五网格', cover: '3702030101001370' };

const FLAGS = [
  '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync',
];

/**
 * Runs a story in a browser of its own, then looks at what went wrong unsaid.
 * @param {{ size?: keyof typeof SIZES, args?: string[], language?: string, refused?: (number | string)[], path?: string }} how
 *   `refused`: statuses and failures that are part of the story; the browser writes each on its console
 * @param {(page: import('playwright-core').Page, loaded: import('playwright-core').Request[]) => Promise<void>} story
 */
export async function browse({ size = 'desktop', args = [], language = 'zh-CN', refused = [], path = '/' }, story) {
  const folder = await mkdtemp(join(tmpdir(), 'guli-e2e-'));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: process.env.GULI_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [...FLAGS, ...args],
    viewport: SIZES[size],
    hasTouch: size === 'phone',
    locale: language,
    bypassCSP: false,
  });
  const wrong = [];
  const host = new URL(URL_).host;
  context.on('request', (request) => {
    const { protocol, host: other } = new URL(request.url());
    if (!['data:'].includes(protocol) && other !== host) wrong.push(`request to ${request.url()}`);
  });
  const loaded = [];
  context.on('requestfinished', (request) => loaded.push(request));
  const page = context.pages()[0] ?? (await context.newPage());
  page.on('console', (message) => {
    const text = message.text();
    const told = refused.some((one) => text.includes(typeof one === 'number' ? `responded with a status of ${one}` : one));
    if (message.type() === 'error' && !told) wrong.push(`console: ${text}`);
  });
  page.on('pageerror', (error) => wrong.push(`page: ${error.message}`));
  page.setDefaultTimeout(20_000);
  try {
    await page.goto(`${URL_}${path}`);
    await page.locator('body.ready').waitFor();
    await story(page, loaded);
    assert.deepEqual(wrong, []);
  } finally {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Waits until the map has drawn all it was told to. @param {import('playwright-core').Page} page */
export async function settled(page) {
  await page.waitForFunction(() => performance.getEntriesByName('guli.map').length > 0);
}

/** Bytes that came, packed as they were, until the map was drawn. @param {import('playwright-core').Page} page @param {import('playwright-core').Request[]} loaded */
export async function bytesUntilMap(page, loaded) {
  const mark = await page.evaluate(() => performance.timeOrigin + performance.getEntriesByName('guli.map')[0].startTime);
  const isWorker = (/** @type {string} */ name) => name.endsWith('-worker.mjs');
  const before = loaded.filter((request) => !isWorker(request.url()) && request.timing().startTime + request.timing().responseEnd <= mark);
  const sizes = await Promise.all(before.map((request) => request.sizes()));
  // Of the worker's own script no size is told.
  const entries = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name, transferSize }) => ({ name, transferSize })));
  const worker = entries.find(({ name }) => isWorker(name))?.transferSize ?? NaN;
  return sizes.reduce((sum, { responseHeadersSize, responseBodySize }) => sum + responseHeadersSize + responseBodySize, worker);
}

/** What has the focus. @param {import('playwright-core').Page} page */
export const focused = (page) => page.evaluate(() => document.activeElement?.tagName);

/** @param {import('playwright-core').Page} page */
export async function accessible(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`), []);
}

/** Signs in with a key of the demo. @param {import('playwright-core').Page} page @param {string} key */
export async function signIn(page, key) {
  await page.getByRole('button', { name: '工作人员' }).click();
  await page.getByLabel('密钥', { exact: true }).fill(key);
  await page.getByRole('button', { name: '进入' }).last().click();
  await page.locator('.live.on').waitFor();
}

/** @param {string} path @param {any} body @param {string} [key] */
export async function post(path, body, key) {
  const headers = { 'Content-Type': 'application/json', ...(key ? { Authorization: `Bearer ${key}`, 'If-Match': '*' } : {}) };
  const answer = await fetch(`${URL_}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${answer.status} ${path}`);
  return answer.json();
}
