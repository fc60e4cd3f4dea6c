// The first page as residents and staff use it: by mouse and by keys, on a desk and on a phone.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ALONE, SIZES, accessible, browse, bytesUntilMap, focused, post, settled, signIn } from './support.js';

/** Five covers of four owners, ten metres from it. */
const CROWDED = { lon: 120.34490516, lat: 36.11629041, grid: '云庭社区第七网格' };

/** Whether it lies in what is seen, with nothing over it. @param {import('playwright-core').Locator} part */
const isSeen = (part) =>
  part.evaluate((one) => {
    const { left, top, width, height } = one.getBoundingClientRect();
    return [0.1, 0.9].every((at) => one.contains(document.elementFromPoint(left + width / 2, top + height * at)));
  });

/** Sends a report that is refused, that does not arrive and that nobody answers. @param {import('playwright-core').Page} page */
async function refusals(page) {
  const send = page.getByRole('button', { name: '上报', exact: true });
  await page.getByLabel('电话').fill('abc');
  await send.click();
  const fault = page.locator('#fault-phone');
  await fault.waitFor();
  assert.ok(await isSeen(fault), 'what is wrong with the telephone is not seen');
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('name')), 'phone');
  assert.match(await page.locator('#said').innerText(), /3 至 20 位/);
  await accessible(page);
  await page.getByLabel('电话').fill('19900000000');
  assert.equal(await fault.count(), 0);

  const keys = [];
  const refusal = page.locator('form .refusal');
  await page.route('**/v1/reports', (route) => (keys.push(route.request().headers()['idempotency-key']), route.abort()));
  await send.click();
  await refusal.getByText('连不上服务').waitFor();
  assert.ok(await isSeen(refusal), 'that it did not arrive is not seen');

  await page.unroute('**/v1/reports');
  await page.route('**/v1/reports', (route) => void keys.push(route.request().headers()['idempotency-key']));
  await page.evaluate(() => {
    const wait = window.setTimeout;
    window.setTimeout = (what, time, ...more) => wait(what, time === 20_000 ? 300 : time, ...more);
  });
  await send.click();
  await refusal.getByText('服务没有回应').waitFor();
  assert.ok(await isSeen(refusal), 'that nobody answers is not seen');
  await page.unroute('**/v1/reports');
  assert.ok(keys.length === 2 && keys[0] === keys[1], keys.join());
  return keys[0];
}

/** @param {import('playwright-core').Page} page */
async function locate(page, east = ALONE.lon, north = ALONE.lat, grid = ALONE.grid) {
  await page.getByRole('textbox', { name: '经度' }).fill(String(east));
  await page.getByRole('textbox', { name: '纬度' }).fill(String(north));
  await page.getByRole('button', { name: '定位', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: grid }).waitFor();
}

for (const size of /** @type {const} */ (Object.keys(SIZES))) {
  test(`by mouse, ${size}: pin, candidates, report, tracking`, async () => {
    await browse({ size, refused: [422, 'net::ERR_FAILED'] }, async (page, loaded) => {
      await settled(page);
      const bytes = await bytesUntilMap(page, loaded);
      assert.ok(bytes > 550_000 && bytes <= 700_000, `${bytes} bytes until the map is there`);
      await accessible(page);
      await locate(page);
      const candidate = page.locator('.option', { hasText: ALONE.cover });
      assert.ok(await candidate.getByRole('radio').isChecked());
      assert.match(await candidate.innerText(), /2\.3 m/);
      await accessible(page);

      // Where the map came to rest the pin lies in its middle; a click beside it moves the pin.
      await page.waitForTimeout(800);
      const box = await page.locator('#map').boundingBox();
      const asked = page.waitForRequest((request) => request.url().includes('/v1/resolve'));
      await page.mouse.click(box.x + box.width / 2 - 40, box.y + box.height / 2 + 40);
      const clicked = new URL((await asked).url()).searchParams;
      assert.ok(Math.abs(Number(clicked.get('lon')) - ALONE.lon) < 0.0005, clicked.toString());
      await page.getByRole('radio', { name: ALONE.cover }).check();

      await page.getByRole('button', { name: '上报这里的问题' }).click();
      assert.equal(await focused(page), 'H1');
      assert.ok(await page.getByRole('button', { name: '先选一项问题' }).isDisabled());
      await page.getByRole('radio', { name: '破损', exact: true }).check();
      await page.getByLabel('补充说明').fill('井盖裂开,车过有响声');
      const key = await refusals(page);
      await accessible(page);
      const sent = page.waitForRequest((request) => request.method() === 'POST');
      await page.getByRole('button', { name: '上报', exact: true }).click();
      const request = await sent;
      assert.match(key, /^[0-9a-f]{32}$/);
      assert.equal(request.headers()['idempotency-key'], key);
      assert.equal(request.postDataJSON().cover, ALONE.cover);
      const receipt = page.getByRole('heading', { name: /^RP-370203-/ });
      await receipt.waitFor();
      assert.equal(await focused(page), 'H1');
      await accessible(page);

      // Followed under the link that was given: it can be left, returned to and loaded again.
      const link = await page.locator('.link a').getAttribute('href');
      const told = page.getByText(/已受理并派遣|同一位置有新的上报/).first();
      await page.getByRole('button', { name: '查看进度' }).click();
      await told.waitFor();
      assert.deepEqual([page.url(), await focused(page)], [link, 'H1']);
      await page.goBack();
      await receipt.waitFor();
      await page.goForward();
      await told.waitFor();
      await page.reload();
      await told.waitFor();
      assert.match(await page.locator('h1').innerText(), /破损/);
      await accessible(page);
    });
  });

  test(`by keys, ${size}: the crosshair drops the pin, the form is filled, the report is sent`, async () => {
    await browse({ size }, async (page) => {
      await settled(page);
      await locate(page);
      await page.waitForTimeout(800);
      for (let tabs = 0; !(await page.evaluate(() => document.activeElement?.matches('canvas'))); tabs++) {
        assert.ok(tabs < 60, 'the map cannot be reached by Tab');
        await page.keyboard.press('Tab');
      }
      await page.keyboard.press('ArrowRight');
      await page.locator('.cross').waitFor();
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('Shift+ArrowUp');
      const resolved = page.waitForResponse((answer) => answer.url().includes('/v1/resolve'));
      await page.keyboard.press('Enter');
      const { candidates } = await (await resolved).json();
      assert.equal(candidates[0].cover.code, ALONE.cover);
      await page.locator('#said', { hasText: ALONE.grid }).waitFor();

      await page.getByRole('button', { name: '上报这里的问题' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('radio', { name: '缺失' }).focus();
      await page.keyboard.press('Space');
      await page.keyboard.press('ArrowRight');
      assert.ok(await page.getByRole('radio', { name: '破损', exact: true }).isChecked());
      await page.keyboard.press('Tab');
      await page.keyboard.type('用键盘上报');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: /^RP-370203-/ }).waitFor();
    });
  });

  test(`staff, ${size}: orders move as they are acted on, and the list is the map`, async () => {
    await browse({ size }, async (page) => {
      await settled(page);
      await signIn(page, 'demo-dispatcher');
      await page.locator('.figures').waitFor();
      assert.equal(await focused(page), 'H1');
      // What is open by now is read after the figures are there.
      await page.locator('.queue li').or(page.getByText('没有未结工单')).first().waitFor();
      const before = await page.locator('.queue li').count();
      const made = await post('/v1/reports', { position: { lon: 120.3801 + Math.random() / 1000, lat: 36.1102 }, damage: 'overflow' });
      const { code } = made.work_order;
      const line = page.locator(`.queue li[data-code="${code}"]`);
      await line.waitFor();
      assert.match(await line.innerText(), /冒溢/);
      assert.equal(await page.locator('.queue li').count(), made.merged ? before : before + 1);
      await accessible(page);
      await line.getByRole('button').click();
      await line.getByText(code).waitFor();
      const onMap = await page.evaluate(async () => {
        const { map } = await import(new URL('map/map.js', document.querySelector('script[src]').src).href);
        const source = await map.getSource('orders').getData();
        return source.features.map((feature) => feature.properties.code).sort();
      });
      const inList = await page.locator('.queue li').evaluateAll((lines) => lines.map((one) => one.dataset.code).sort());
      assert.deepEqual(onMap, inList);
      await post(`/v1/work-orders/${code}/reassign`, { unit: '370203-DRN01', reason: '排水' }, 'demo-dispatcher');
      await line.getByText('排水').waitFor();
      await post(`/v1/work-orders/${code}/accept`, {}, 'demo-crew');
      await line.getByText('已接单').waitFor();
      for (const [act, said] of [['arrive', { position: made.work_order.position ?? { lon: 120.3805, lat: 36.1102 } }], ['secure', { measure: 'fence' }], ['repair', { done: '疏通' }]]) {
        await post(`/v1/work-orders/${code}/${act}`, said, 'demo-crew');
      }
      await post(`/v1/work-orders/${code}/verify`, { passed: true }, 'demo-dispatcher');
      await post(`/v1/work-orders/${code}/close`, {}, 'demo-dispatcher');
      // Shown a while, but counted no more.
      await page.getByRole('heading', { name: '刚刚办结' }).waitFor();
      assert.ok(await page.locator(`.queue.closed li[data-code="${code}"]`).isVisible());
      const open = await page.locator('.queue:not(.closed) li').count();
      assert.equal((await page.locator('.ways [aria-current] .number').allInnerTexts()).join('') || '0', String(open));
      await page.getByRole('button', { name: /退出/ }).click();
      await page.getByRole('heading', { name: '点一下地图' }).waitFor();
    });
  });
}

test('a pin in the system of a phone map lies where it belongs, and its numbers follow the system chosen', async () => {
  await browse({ refused: [422] }, async (page) => {
    await settled(page);
    await page.getByLabel('坐标系').selectOption('GCJ-02');
    await locate(page, 120.3414946, 36.1155892);
    await page.getByRole('radio', { name: ALONE.cover }).waitFor();
    await page.getByText('输入坐标').click();
    await page.getByLabel('坐标系').selectOption('EPSG:4549');
    await page.waitForFunction(() => /^5\d{5}\.\d{3}$/.test(document.querySelector('[name=east]').value));
    // As another map copies it, and as a Chinese keyboard writes it.
    await page.getByLabel('坐标系').selectOption('GCJ-02');
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', '１２０.3414946，36.1155892 ');
      document.querySelector('[name=north]').dispatchEvent(new ClipboardEvent('paste', { clipboardData, cancelable: true }));
    });
    await page.waitForFunction(() => document.querySelector('[name=north]').value === '36.1155892');
    await page.getByRole('button', { name: '定位', exact: true }).click();
    await page.getByRole('radio', { name: ALONE.cover }).waitFor();
    await page.getByLabel('坐标系').selectOption('EPSG:4549');
    await page.waitForFunction(() => /^5\d{5}\.\d{3}$/.test(document.querySelector('[name=east]').value));
    await page.getByLabel('东坐标').fill('1');
    await page.getByRole('button', { name: '定位', exact: true }).click();
    await page.getByRole('alert').getByText('不').first().waitFor();
    // In another language it is refused in that.
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('alert').getByText('not').first().waitFor();
    // What is no number is said at its field, where one goes on, and no longer once something else stands there.
    await page.getByLabel('East').fill('120°20′');
    await page.getByRole('button', { name: 'Locate', exact: true }).click();
    await page.locator('#fault-east', { hasText: 'such as 531073.115' }).waitFor();
    assert.equal(await page.evaluate(() => /** @type {HTMLInputElement} */ (document.activeElement).name), 'east');
    assert.equal(await page.locator('.refusal').count(), 0);
    await page.getByLabel('East').fill('');
    await page.locator('#fault-east').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Locate', exact: true }).click();
    await page.locator('#fault-east', { hasText: 'Enter a number' }).waitFor();
  });
});

test('a key that is wrong is refused in words', async () => {
  await browse({ refused: [401] }, async (page) => {
    await page.getByRole('button', { name: '工作人员' }).click();
    await page.getByLabel('密钥', { exact: true }).fill('wrong');
    await accessible(page);
    await page.getByRole('button', { name: '进入' }).click();
    await page.getByRole('alert').waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });
});

for (const language of ['en-GB', 'zh-CN']) {
  test(`nothing reaches beyond its side, ${language}`, async () => {
    await browse({ language }, async (page) => {
      await page.locator('#header .chip').last().click();
      await page.locator('[name=key]').fill('demo-dispatcher');
      await page.locator('dialog .first').click();
      await page.locator('.figures').waitFor();
      for (const width of [320, 390, 1440]) {
        await page.setViewportSize({ width, height: 844 });
        for (const way of await page.locator('.ways button').all()) {
          await way.click();
          if (/Findings|质检/.test(await way.innerText())) await page.locator('.findings li').first().waitFor();
          const wide = await page.evaluate(() => [document.scrollingElement, ...document.querySelectorAll('#header, #panel, .figure')]
            .filter((part) => part.scrollWidth > part.clientWidth).map((part) => `${part.id || part.className || part.tagName} ${part.scrollWidth} > ${part.clientWidth}`));
          assert.deepEqual(wide, [], `${width}: ${await way.innerText()}`);
        }
      }
    });
  });
}

test('candidates close together are all read on the map, and a poor position is put right by dragging', async () => {
  await browse({}, async (page) => {
    await settled(page);
    const asked = async (/** @type {() => Promise<void>} */ act) => {
      const request = page.waitForRequest((one) => one.url().includes('/v1/resolve') && one.url().includes('include'));
      await act();
      return new URL((await request).url()).searchParams;
    };
    /** Every label, as the list has it, apart from the others and in the map. @param {number} count */
    const apart = async (count) => {
      await page.locator('.labels:not(.away) .label').nth(count - 1).waitFor();
      await page.waitForTimeout(700);
      const room = await page.locator('#map').boundingBox();
      const boxes = await Promise.all((await page.locator('.label').all()).map((one) => one.boundingBox()));
      assert.equal(boxes.length, count);
      for (const [nth, a] of boxes.entries()) {
        assert.ok(a.x >= room.x && a.y >= room.y && a.x + a.width <= room.x + room.width && a.y + a.height <= room.y + room.height, `${nth} is not in the map`);
        for (const b of boxes.slice(nth + 1)) assert.ok(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y, `${nth} hides another`);
      }
      const words = (/** @type {string} */ text) => text.replace(/\s+/g, ' ').trim();
      const labels = (await page.locator('.label').allInnerTexts()).map(words);
      const listed = await page.locator('.option:has(meter)').evaluateAll((all) => all.map((one) => {
        const [far, sure] = [one.querySelector('.how strong'), one.querySelector('.how .quiet')].map((part) => part.textContent);
        return `${one.querySelector('.letter').textContent} ${far} · ${sure.replace(/^\S+ /, '')}`;
      }));
      assert.deepEqual(labels.map((text) => text.replace(/^(.) ?/, '$1 ')), listed);
    };

    /** What stands first, which nothing below it is likelier than. */
    const likeliestFirst = async () => {
      const texts = await page.locator('.option').allInnerTexts();
      const sure = texts.map((text) => Number(/(\d+)\s?%/.exec(text)?.[1]));
      assert.equal(sure[0], Math.max(...sure), texts.join(' | '));
      return texts[0];
    };

    // The whole district: some metres to a pixel.
    const place = await page.locator('#map').boundingBox();
    const far = await asked(() => page.mouse.click(place.x + place.width / 2, place.y + place.height / 2));
    assert.ok(Number(far.get('accuracy_m')) > 20 && Number(far.get('accuracy_m')) <= 1000, far.toString());
    await page.locator('.bubble', { hasText: '请拖动确认' }).waitFor();
    assert.match(await likeliestFirst(), /^A/);
    await page.locator('.lead', { hasText: '请放大地图' }).waitFor();
    await page.getByText('输入坐标').click();
    // Far from all covers it is most likely none of them.
    await page.context().grantPermissions(['geolocation']);
    await page.context().setGeolocation({ longitude: ALONE.lon + 0.0015, latitude: ALONE.lat, accuracy: 45 });
    await asked(() => page.getByRole('button', { name: '我的位置' }).click());
    await page.locator('.match', { hasText: '没有' }).waitFor();
    assert.match(await likeliestFirst(), /都不是/);
    await locate(page, CROWDED.lon, CROWDED.lat, CROWDED.grid);
    await apart(5);
    await page.locator('.label').nth(2).click();
    assert.ok(await page.locator('.option:has(meter)').nth(2).getByRole('radio').isChecked());

    // As a phone finds itself among houses.
    await page.setViewportSize(SIZES.phone);
    await page.context().setGeolocation({ longitude: CROWDED.lon, latitude: CROWDED.lat, accuracy: 45 });
    assert.equal((await asked(() => page.getByRole('button', { name: '我的位置' }).click())).get('accuracy_m'), '45');
    await page.locator('.bubble', { hasText: '±45 m，请拖动确认' }).waitFor();
    await page.locator('#said', { hasText: '±45 m' }).waitFor();
    await apart(6);
    const pin = await page.locator('.pin').boundingBox();
    const dragged = await asked(async () => {
      await page.mouse.move(pin.x + 14, pin.y + 14);
      await page.mouse.down();
      await page.mouse.move(pin.x + 34, pin.y + 14, { steps: 4 });
      await page.mouse.up();
    });
    assert.equal(dragged.get('accuracy_m'), '5');
    assert.ok(Number(dragged.get('lon')) > CROWDED.lon + 0.00001, dragged.toString());
    await page.locator('.bubble').waitFor({ state: 'detached' });

    // Enlarged, or in a low window, all is reached by scrolling the page.
    for (const [width, height] of [[640, 400], [667, 375], [320, 256]]) {
      await page.setViewportSize({ width, height });
      assert.ok(await page.evaluate(() => document.scrollingElement.scrollHeight > innerHeight + 200), `${width} × ${height}`);
      for (const part of [page.locator('.option').first(), page.getByRole('button', { name: '上报这里的问题' })]) {
        await part.scrollIntoViewIfNeeded();
        assert.ok(await isSeen(part), `${width} × ${height}`);
      }
    }
  });
});

test('in English', async () => {
  await browse({ language: 'en-GB' }, async (page) => {
    await page.getByRole('heading', { name: 'Drop a pin on the map' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    await accessible(page);
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByRole('heading', { name: '点一下地图' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
  });
});

test('without WebGL everything but the map is there', async () => {
  const args = ['--disable-gpu', '--disable-webgl', '--disable-webgl2', '--disable-3d-apis'];
  await browse({ args }, async (page) => {
    await page.locator('.nomap').waitFor();
    await page.getByRole('heading', { name: '井盖在哪里' }).waitFor();
    await locate(page);
    await page.getByRole('radio', { name: ALONE.cover }).waitFor();
    await accessible(page);
    await signIn(page, 'demo-planner');
    await page.getByRole('button', { name: /质检/ }).click();
    await page.locator('.findings button').first().click();
    await page.locator('.finding').waitFor();
    await accessible(page);
  });
});
