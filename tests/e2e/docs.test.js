// The API as developers read and try it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { SIZES, accessible, browse } from './support.js';

for (const size of /** @type {const} */ (Object.keys(SIZES))) {
  test(`the API is read and tried, ${size}`, async () => {
    await browse({ size, path: '/docs#resolve' }, async (page) => {
      const resolve = page.locator('#resolve');
      await resolve.getByRole('button', { name: 'Send GET' }).click();
      await resolve.getByText('200 OK').waitFor();
      assert.match(await resolve.locator('output').innerText(), /"registry_version": "370203:/);
      // An order needs a key.
      await page.getByLabel('Key for what is tried here').fill('demo-dispatcher');
      const orders = page.locator('#work_orders');
      await orders.locator('summary').first().click();
      await orders.getByRole('button', { name: 'Send GET' }).click();
      await orders.getByText('200 OK').waitFor();
      await accessible(page);
    });
  });
}
