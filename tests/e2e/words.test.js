// Both languages say the same things, and the page says nothing that neither has.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { RULES, SEVERITIES } from '../../web/severity.js';

const web = new URL('../../web/', import.meta.url).pathname;
const read = async (name) => JSON.parse(await readFile(join(web, 'i18n', name), 'utf8'));

test('every word is there in both languages', async () => {
  const [chinese, english] = [await read('zh-CN.json'), await read('en.json')];
  // Categories come with their Chinese names from the service.
  const names = (words) => Object.keys(words).filter((name) => !name.startsWith('category.')).sort();
  assert.deepEqual(names(chinese), names(english));
  for (const [name, text] of Object.entries(chinese)) {
    assert.deepEqual(text.match(/\{\w+\}/g)?.sort(), english[name].match(/\{\w+\}/g)?.sort(), name);
  }
});

test('every word that is asked for is there', async () => {
  const words = await read('zh-CN.json');
  const files = (await readdir(web, { recursive: true })).filter((name) => name.endsWith('.js') && !name.startsWith('vendor'));
  assert.ok(files.length > 15);
  for (const file of files) {
    const text = await readFile(join(web, file), 'utf8');
    for (const [, name] of text.matchAll(/\bt\('([^']+)'/g)) assert.ok(words[name], `${file}: ${name}`);
  }
});

test('every rule is named and explained', async () => {
  const words = await read('zh-CN.json');
  const names = [...Object.keys(RULES).flatMap((rule) => [`rule.${rule}`, `rule.${rule}.why`]), ...SEVERITIES.map((one) => `severity.${one}`)];
  for (const name of names) assert.ok(words[name], name);
});
