// Labels of what lies close together are laid apart.
import assert from 'node:assert/strict';
import test from 'node:test';
import { apart } from '../../web/map/apart.js';

const SIZE = { width: 112, height: 24 };
const ROOM = { left: 4, top: 4, right: 386, bottom: 330 };

const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Always the same numbers below one. @param {number} seed */
function numbers(seed) {
  let now = seed;
  return () => (now = (now * 48_271) % 2_147_483_647) / 2_147_483_647;
}

test('six labels around a pin hide neither each other nor what lies there, and stay in the room', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const next = numbers(seed);
    const marks = Array.from({ length: 6 }, () => ({ at: { x: 150 + next() * 90, y: 120 + next() * 90 }, size: SIZE }));
    const pin = { left: 180, top: 130, right: 210, bottom: 164 };
    const placed = apart(marks, [pin], ROOM);
    for (const [nth, box] of placed.entries()) {
      assert.ok(box.left >= ROOM.left && box.top >= ROOM.top && box.right <= ROOM.right && box.bottom <= ROOM.bottom, `${seed}: ${nth} leaves the room`);
      assert.ok(!meet(box, pin), `${seed}: ${nth} hides the pin`);
      for (const other of placed.slice(nth + 1)) assert.ok(!meet(box, other), `${seed}: ${nth} hides another`);
      for (const { at } of marks) assert.ok(!(at.x > box.left && at.x < box.right && at.y > box.top && at.y < box.bottom), `${seed}: ${nth} hides a mark`);
    }
  }
});

test('where there is no room for all, each still has a place', () => {
  const marks = Array.from({ length: 6 }, () => ({ at: { x: 40, y: 40 }, size: SIZE }));
  assert.equal(apart(marks, [], { left: 0, top: 0, right: 80, bottom: 80 }).filter((box) => Number.isFinite(box.left)).length, 6);
});
