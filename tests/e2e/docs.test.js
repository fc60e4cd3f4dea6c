// The API as developers read and try it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { SIZES, accessible, browse } from './support.js';

/**
 * What can be sent as it stands in the form, in this order: with which key, and what answers.
 * @type {[string, [string, number][]][]}
 */
const TRIED = [
  ['demo-admin', [
    ['report', 201], ['track_report', 200], ['asset', 200], ['import', 200], ['import_report', 200], ['redraw_grids', 200],
    ['create_grid', 200], ['put_grid', 200], ['replace_person', 200], ['finding', 200],
    ['replace_cover', 200], ['patch_cover', 200], ['remove_cover', 204],
  ]],
  ['demo-dispatcher', [['accept', 200], ['arrive', 200]]],
];

/** Sends what a form begins with. @param {import('playwright-core').Page} page @param {string} id @param {number} status */
async function sent(page, id, status) {
  const operation = page.locator(`details#${id}`);
  await operation.locator('summary').first().click();
  await operation.locator('form > button').click();
  await operation.locator('output b').waitFor();
  assert.match(await operation.locator('output b').innerText(), new RegExp(`^${status} `), `${id}: ${await operation.locator('output').innerText()}`);
  const notes = await operation.locator('.notes').innerText();
  await operation.locator('summary').first().click();
  return notes;
}

for (const size of /** @type {const} */ (Object.keys(SIZES))) {
  test(`the API is read and tried, ${size}`, async () => {
    await browse({ size, path: '/docs#resolve', refused: [409] }, async (page) => {
      assert.equal(await page.evaluate(() => document.scrollingElement.scrollWidth), SIZES[size].width);
      const resolve = page.locator('#resolve');
      await resolve.getByRole('button', { name: 'Send GET' }).click();
      await resolve.getByText('200 OK').waitFor();
      assert.match(await resolve.locator('output').innerText(), /"registry_version": "370203:/);
      // An order needs a key.
      const key = page.getByLabel('Key for what is tried here');
      await key.fill('demo-dispatcher');
      await sent(page, 'work_orders', 200);
      await page.locator('#work_orders > summary').click();
      await accessible(page);
      if (size === 'phone') return;

      for (const [name, all] of TRIED) {
        await key.fill(name);
        await key.blur();
        for (const [id, status] of all) await sent(page, id, status);
      }
      // What is refused says why before it is sent.
      await key.fill('demo-admin');
      assert.match(await sent(page, 'remove_organization', 409), /still used/);
    });
  });
}
