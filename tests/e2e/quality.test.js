// What is wrong with the registry, as planners and administrators find, mend and accept it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { RULES } from '../../web/severity.js';
import { SIZES, URL_, accessible, browse, settled, signIn } from './support.js';

/** @param {string} path @param {RequestInit} [init] */
const api = (path, init = {}) =>
  fetch(`${URL_}${path}`, { ...init, headers: { Authorization: 'Bearer demo-admin', ...init.headers } });

/** @param {string} query */
const findings = async (query) => (await api(`/v1/quality?limit=1000&${query}`)).json();

/** @param {import('playwright-core').Page} page */
const rows = (page) => page.locator('.findings > li');

/** @param {import('playwright-core').Page} page @param {string} key */
async function open(page, key) {
  await settled(page);
  await signIn(page, key);
  await page.getByRole('navigation').getByRole('button', { name: /质检/ }).click();
  await rows(page).first().waitFor();
}

/** What the map has, beside what it shows. @param {import('playwright-core').Page} page */
const onMap = (page) =>
  page.evaluate(async () => {
    const { map } = await import(new URL('map/map.js', document.querySelector('script[src]').src).href);
    const { features } = await map.getSource('findings').getData();
    const marks = features.filter((feature) => feature.properties.kind === 'mark');
    return { marks: marks.map((mark) => mark.properties.finding).sort(), centre: map.getCenter().toArray(), zoom: map.getZoom() };
  });

/** @param {import('playwright-core').Page} page */
const inList = async (page) => (await rows(page).evaluateAll((all) => all.map((one) => one.dataset.finding))).sort();

/** Waits until the map has come to rest there. @param {import('playwright-core').Page} page @param {number[]} at */
async function looksAt(page, [lon, lat]) {
  const there = async () => {
    const { centre } = await onMap(page);
    return Math.hypot(centre[0] - lon, centre[1] - lat) < 2e-5;
  };
  for (let tries = 0; !(await there()); tries++) {
    assert.ok(tries < 50, 'the map does not go there');
    await page.waitForTimeout(100);
  }
}

/** Waits until so many are listed. @param {import('playwright-core').Page} page @param {number} count */
const listed = (page, count) => page.waitForFunction((n) => document.querySelectorAll('.findings > li').length === n, count);

/** Tabs on to what a selector means. @param {import('playwright-core').Page} page @param {string} selector */
async function tabTo(page, selector) {
  for (let tabs = 0; !(await page.evaluate((to) => document.activeElement?.matches(to), selector)); tabs++) {
    assert.ok(tabs < 60, `${selector} cannot be reached by Tab`);
    await page.keyboard.press('Tab');
  }
}

test('by mouse: found on the map, mended although it changed meanwhile, accepted and opened again', async () => {
  await browse({ refused: [412] }, async (page) => {
    await open(page, 'demo-admin');
    await accessible(page);
    const all = await findings('state=open');
    assert.deepEqual(Object.keys(RULES).sort(), Object.keys(all.counts));
    const of = (severity) => Object.entries(all.counts).reduce((sum, [rule, n]) => sum + (RULES[rule] === severity ? n : 0), 0);
    const figures = await page.locator('.severities button').evaluateAll((buttons) => buttons.map((one) => one.querySelector('strong').textContent));
    assert.deepEqual(figures.map(Number), ['error', 'warning', 'notice'].map(of));

    await page.getByRole('button', { name: /提示/ }).click();
    await listed(page, of('notice'));
    await page.getByRole('button', { name: /警告/ }).click();
    await page.getByLabel('规则').selectOption('near-duplicate');
    await listed(page, all.counts['near-duplicate']);
    assert.deepEqual((await onMap(page)).marks, await inList(page));
    await accessible(page);

    const [pair] = (await findings('state=open&rule=near-duplicate')).items;
    const line = page.locator(`[data-finding="${pair.id}"]`);
    await line.getByRole('button').first().click();
    await looksAt(page, pair.geometry.coordinates);
    assert.ok((await onMap(page)).zoom > 19);
    const goes = pair.mend.href.replace('/merge', '');
    const other = pair.subjects.find(({ href }) => href !== goes);
    await line.getByRole('button', { name: other.code, exact: true }).click();
    const { position } = await (await api(other.href)).json();
    await looksAt(page, [position.lon, position.lat]);
    await accessible(page);

    // Somebody else changes the cover: what goes is not what was looked at.
    const body = JSON.stringify({ spec: { depth_m: 2 } });
    const changed = await api(goes, { method: 'PATCH', body, headers: { 'If-Match': '*', 'Content-Type': 'application/merge-patch+json' } });
    assert.equal(changed.status, 200);
    await line.getByRole('button', { name: '执行修正' }).click();
    const again = page.waitForResponse((answer) => answer.request().method() === 'GET' && answer.url().endsWith(goes));
    await line.getByRole('button', { name: '合并井盖' }).click();
    await line.getByRole('alert').waitFor();
    await again;
    await accessible(page);
    // It is looked at again by itself, which may take a moment longer than this.
    let removed;
    do {
      const asked = page.waitForRequest((request) => request.url().includes('/merge?'));
      await line.getByRole('button', { name: '合并井盖' }).click();
      removed = await asked;
    } while (removed.headers()['if-match'] !== '"2"');
    assert.equal(new URL(removed.url()).searchParams.get('reason'), `near-duplicate ${pair.id}`);
    await listed(page, all.counts['near-duplicate'] - 1);
    assert.equal(await line.count(), 0);
    // Its code leads to the one that stays.
    assert.equal((await (await api(goes)).json()).code, other.code);
    await page.locator('#said', { hasText: '已修正' }).waitFor();
    assert.deepEqual((await onMap(page)).marks, await inList(page));
    await page.waitForFunction(() => document.activeElement.closest('.findings'));

    const next = await rows(page).first().getAttribute('data-finding');
    const accepted = page.locator(`[data-finding="${next}"]`);
    await accepted.getByRole('button').first().click();
    await accepted.getByRole('button', { name: '认可现状…' }).click();
    await page.getByLabel('为什么可以保持现状？').fill('两个井室,现场看过');
    await accepted.getByRole('button', { name: '认可现状' }).click();
    await listed(page, all.counts['near-duplicate'] - 2);
    await page.getByLabel('状态').selectOption('accepted');
    await accepted.getByRole('button').first().click();
    await accepted.getByText('两个井室,现场看过').waitFor();
    await accessible(page);
    await accepted.getByRole('button', { name: '重新打开' }).click();
    await accepted.waitFor({ state: 'detached' });
    assert.equal((await (await api(`/v1/quality/${next}`)).json()).state, 'open');
    await page.getByRole('button', { name: /退出/ }).click();
    await page.getByRole('heading', { name: '点一下地图' }).waitFor();
    assert.equal(await page.getByRole('button', { name: /质检/ }).count(), 0);
    assert.deepEqual((await onMap(page)).marks, []);
  });
});

test('by keys, phone: a planner goes through the list, mends nothing and accepts with a reason', async () => {
  await browse({ size: 'phone' }, async (page) => {
    await settled(page);
    await signIn(page, 'demo-planner');
    await tabTo(page, '.ways button:last-child');
    await page.keyboard.press('Enter');
    await rows(page).first().waitFor();
    await accessible(page);
    const { counts } = await findings('state=open&severity=warning');
    const before = Object.values(counts).reduce((sum, count) => sum + count, 0);
    await tabTo(page, '.severities button.is-warning');
    await page.keyboard.press('Space');
    await page.locator('.severities [aria-pressed=true]').waitFor();
    await listed(page, before);
    await tabTo(page, '.findings > li > button');
    await page.keyboard.press('Tab');
    const id = await page.evaluate(() => document.activeElement.closest('li').dataset.finding);
    await page.keyboard.press('Enter');
    const line = page.locator(`[data-finding="${id}"]`);
    await line.locator('.finding').waitFor();
    const { geometry, subjects } = await (await api(`/v1/quality/${id}`)).json();
    await looksAt(page, geometry.coordinates);
    await line.getByRole('button', { name: subjects[0].code, exact: true }).waitFor();
    assert.equal(await page.getByRole('button', { name: '执行修正' }).count(), 0);
    await accessible(page);
    await tabTo(page, '.acts button');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.matches('textarea'));
    await page.keyboard.type('现场看过,可以');
    await accessible(page);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await listed(page, before - 1);
    await page.locator('#said', { hasText: '已认可' }).waitFor();
    // The keys go on at the finding that came into its place.
    await page.waitForFunction(() => document.activeElement.matches('.findings > li:nth-child(2) > button'));

    await page.getByLabel('状态').focus();
    await page.keyboard.press('ArrowDown');
    await line.getByRole('button').first().focus();
    await page.keyboard.press('Enter');
    await line.getByText('现场看过,可以').waitFor();
    await tabTo(page, '.acts button');
    await page.keyboard.press('Enter');
    await line.waitFor({ state: 'detached' });
    assert.equal((await (await api(`/v1/quality/${id}`)).json()).state, 'open');
  });
});

/** Presses what has the focus. @param {import('playwright-core').Page} page */
const press = (page) => page.keyboard.press('Enter');

/** What the page says to those who do not see it. @param {import('playwright-core').Page} page @param {string} text */
const said = (page, text) => page.locator('#said', { hasText: text }).waitFor();

test('by mouse: a mend is taken back, unless the cover was changed since', async () => {
  await browse({ refused: [409] }, async (page) => {
    await open(page, 'demo-admin');
    await page.getByLabel('规则').selectOption('owner-missing');
    const before = await findings('state=open&rule=owner-missing');
    await listed(page, before.counts['owner-missing']);
    const one = before.items.find(({ mend }) => mend?.body.owner);
    const line = page.locator(`[data-finding="${one.id}"]`);
    const notice = page.getByRole('region', { name: '刚才的修正' });
    const owner = async () => (await (await api(one.mend.href)).json()).owner?.code ?? null;

    await line.getByRole('button').first().click();
    await line.getByRole('button', { name: '执行修正' }).click();
    await line.waitFor({ state: 'detached' });
    await notice.getByText('权属单位登记为').waitFor();
    await said(page, '可在列表上方撤回');
    assert.equal(await owner(), one.mend.body.owner);
    await accessible(page);
    await notice.getByRole('button', { name: '撤回修正…' }).click();
    await notice.getByText('恢复修正前的登记').waitFor();
    await accessible(page);
    await notice.getByRole('button', { name: '取消' }).click();
    await notice.getByRole('button', { name: '撤回修正…' }).click();
    const sent = page.waitForRequest((request) => request.url().includes('/undo'));
    await notice.getByRole('button', { name: '撤回修正', exact: true }).click();
    assert.equal(new URL((await sent).url()).searchParams.get('reason'), `owner-missing ${one.id}`);
    await line.waitFor();
    await said(page, '已撤回修正');
    await notice.waitFor({ state: 'detached' });
    assert.equal(await owner(), null);
    assert.equal(await line.getByRole('button').first().evaluate((button) => button === document.activeElement), true);
    assert.deepEqual((await onMap(page)).marks, await inList(page));
    await accessible(page);

    // While the page asks, somebody else changes the cover: nothing of theirs is taken back.
    await line.getByRole('button').first().click();
    await line.getByRole('button', { name: '执行修正' }).click();
    await notice.getByRole('button', { name: '撤回修正…' }).click();
    const body = JSON.stringify({ spec: { depth_m: 3 } });
    const headers = { 'If-Match': '*', 'Content-Type': 'application/merge-patch+json' };
    assert.equal((await api(one.mend.href, { method: 'PATCH', body, headers })).status, 200);
    await notice.getByRole('button', { name: '撤回修正', exact: true }).click();
    await page.getByRole('alert').waitFor();
    await notice.waitFor({ state: 'detached' });
    assert.equal(await owner(), one.mend.body.owner);
    await accessible(page);
  });
});

test('by keys, phone: a cover that was removed is in the registry again', async () => {
  await browse({ size: 'phone' }, async (page) => {
    await open(page, 'demo-admin');
    await page.getByLabel('规则').selectOption('near-duplicate');
    const { counts, items: [pair] } = await findings('state=open&rule=near-duplicate');
    await listed(page, counts['near-duplicate']);
    await tabTo(page, '.findings > li > button');
    await press(page);
    await page.locator('.finding .next:enabled').first().waitFor();
    await tabTo(page, '.finding .next');
    await press(page);
    await page.waitForFunction(() => document.activeElement.matches('.finding .first.next'));
    await press(page);
    await listed(page, counts['near-duplicate'] - 1);
    const goes = pair.mend.href.replace('/merge', '');
    const code = async () => (await (await api(goes)).json()).code;
    assert.equal(await code(), pair.mend.body.into);
    await said(page, '可在列表上方撤回');
    await accessible(page);
    await page.getByLabel('状态').focus();
    await tabTo(page, '.mended .next');
    await press(page);
    await page.waitForFunction(() => document.activeElement.matches('.mended .first.next'));
    await page.getByText('井盖恢复登记').waitFor();
    await accessible(page);
    await press(page);
    await listed(page, counts['near-duplicate']);
    await said(page, '已撤回修正');
    await page.waitForFunction((id) => document.activeElement.closest('li')?.dataset.finding === id, pair.id);
    assert.equal(await code(), goes.split('/').at(-1));
    await accessible(page);
  });
});

/** Such as a fresh demo has none of. */
const GROUND = { type: 'MultiPolygon', coordinates: [[[[120.34, 36.1], [120.346, 36.1005], [120.3465, 36.104], [120.34, 36.1]]]] };
const finding = (id, rule, geometry, subject) =>
  ({ id, rule, severity: RULES[rule], state: 'open', subjects: [subject], geometry, detail: 'made up', mend: null, ruling: null, may: [] });
const DISTRICT = { type: 'district', code: '370203', href: '/v1/districts/370203' };
const PERSON = { type: 'person', code: '019ac', href: '/v1/people/019ac' };

for (const size of /** @type {const} */ (Object.keys(SIZES))) {
  test(`ground of any shape and findings without a place, ${size}; what a key may not decide it only reads`, async () => {
    await browse({ size, refused: [503] }, async (page) => {
      let calls = 0;
      await page.route(/\/v1\/quality\?/, async (route) => {
        const problem = { type: 'about:blank', title: '暂时无法处理', status: 503, detail: '' };
        if (calls++ === 0) return route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) });
        const response = await route.fetch();
        const json = await response.json();
        json.items.unshift(
          finding('aaaaaaaaaaaaaaa1', 'grids-gap', GROUND, DISTRICT),
          finding('aaaaaaaaaaaaaaa2', 'category-contradicts-owner', { type: 'LineString', coordinates: GROUND.coordinates[0][0] }, DISTRICT),
          finding('aaaaaaaaaaaaaaa3', 'person-without-area', null, PERSON),
        );
        return route.fulfill({ response, json });
      });
      await settled(page);
      await signIn(page, 'demo-crew');
      await page.getByRole('button', { name: /质检/ }).click();
      await page.getByRole('alert').filter({ hasText: '暂时无法处理' }).waitFor();
      await accessible(page);
      await page.getByRole('button', { name: '再试一次' }).click();
      await rows(page).first().getByRole('button').click();
      await page.getByText('这个密钥只能查看').waitFor();
      await page.waitForFunction(async () => {
        const { map } = await import(new URL('map/map.js', document.querySelector('script[src]').src).href);
        const shown = (/** @type {string} */ layer) => map.queryRenderedFeatures({ layers: [layer] }).length > 0;
        return ['finding-ground', 'finding-edge-error', 'finding-edge-notice', 'findings'].every(shown);
      });
      await accessible(page);
      await page.locator('[data-finding="aaaaaaaaaaaaaaa3"] > button').click();
      await page.getByText('在地图上没有位置').waitFor();

      // A click on the map opens the finding that is there.
      await page.locator('[data-finding="aaaaaaaaaaaaaaa1"] > button').click();
      await page.locator('[data-finding="aaaaaaaaaaaaaaa1"] > button').click();
      await page.waitForTimeout(800);
      const box = await page.locator('#map').boundingBox();
      await page.mouse.click(box.x + box.width * 0.55, box.y + box.height * 0.55);
      await page.locator('.findings .open').waitFor();
    });
  });
}
