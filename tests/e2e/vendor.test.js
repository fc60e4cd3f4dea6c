// What others wrote is here as they wrote it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';

const vendor = new URL('../../web/vendor/', import.meta.url).pathname;

test('every vendored file has the sum that is on record, and its licence beside it', async () => {
  const record = await readFile(join(vendor, 'VENDOR.toml'), 'utf8');
  const sums = new Map([...record.matchAll(/^"([^"]+)" = "([0-9a-f]{64})"$/gm)].map(([, name, sum]) => [name, sum]));
  const seen = [];
  for (const folder of (await readdir(vendor, { withFileTypes: true })).filter((entry) => entry.isDirectory())) {
    const names = await readdir(join(vendor, folder.name));
    assert.ok(names.includes('LICENSE'), folder.name);
    for (const name of names.filter((one) => one !== 'LICENSE')) {
      const sum = createHash('sha256').update(await readFile(join(vendor, folder.name, name))).digest('hex');
      assert.equal(sum, sums.get(name), name);
      seen.push(name);
    }
  }
  assert.deepEqual(seen.sort(), [...sums.keys()].sort());
});
