// Labels of marks that lie close together: each beside its mark, where it hides neither another nor a mark.

/**
 * @typedef {{ x: number, y: number }} Spot
 * @typedef {{ width: number, height: number }} Size
 * @typedef {{ left: number, top: number, right: number, bottom: number }} Box
 */

/** Half the side of a mark, and room between two things. */
const MARK = 10;
const GAP = 3;

/** Where a label is tried: ways around its mark, and pixels between the two. */
const WAYS = 16;
const FAR = [12, 28, 46, 66, 90, 118, 150];

/** What it costs to hide a label, a mark or whatever else lies there, or to leave the room, for each square pixel. */
const COSTS = { label: 10, thing: 6, out: 8 };
/** What it costs when a line runs under a label, or over what is not its own, for each place of the line that is looked at. */
const UNDER = 250;
const OVER = 50;

/** @param {Spot} at @param {Size} size @param {number} nth @param {number} far @returns {Box} */
function tried({ x, y }, { width, height }, nth, far) {
  const angle = (nth / WAYS) * 2 * Math.PI;
  const left = x + Math.cos(angle) * (far + width / 2) - width / 2;
  const top = y + Math.sin(angle) * (far + height / 2) - height / 2;
  return { left, top, right: left + width, bottom: top + height };
}

/** Square pixels that two have in common, with a gap around the first. @param {Box} a @param {Box} b */
function shared(a, b) {
  const width = Math.min(a.right + GAP, b.right) - Math.max(a.left - GAP, b.left);
  const height = Math.min(a.bottom + GAP, b.bottom) - Math.max(a.top - GAP, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

/** @param {Box} box @param {Box} room */
const outside = (box, room) => (box.right - box.left) * (box.bottom - box.top) - shared({ left: room.left + GAP, top: room.top + GAP, right: room.right - GAP, bottom: room.bottom - GAP }, box);

const within = (/** @type {number} */ value, /** @type {number} */ least, /** @type {number} */ most) => Math.min(most, Math.max(least, value));

/** Where a mark's line meets its label. @param {Spot} mark @param {Box} box @returns {Spot} */
export const end = (mark, box) => ({ x: within(mark.x, box.left, box.right), y: within(mark.y, box.top, box.bottom) });

/** Near enough to each other that the longest line does not slip through under a label. */
const PARTS = Array.from({ length: 16 }, (_, nth) => (nth + 1) / 16);

/** Places on a line. @param {Spot} from @param {Spot} to */
const along = (from, to) => PARTS.map((part) => ({ x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part }));

/** How many of them lie in a box. @param {Spot[]} spots @param {Box} box */
const inside = (spots, box) => spots.filter(({ x, y }) => x > box.left && x < box.right && y > box.top && y < box.bottom).length;

/**
 * Places one label after the other: the first has the choice.
 * @param {{ at: Spot, size: Size }[]} marks
 * @param {Box[]} things what else lies there
 * @param {Box} room where labels are seen
 */
export function apart(marks, things, room) {
  const spots = marks.map(({ at: { x, y } }) => ({ left: x - MARK, top: y - MARK, right: x + MARK, bottom: y + MARK }));
  const taken = [...things, ...spots];
  /** @type {Box[]} */
  const placed = [];
  /** @type {Spot[]} */
  const lines = [];
  for (const { at, size } of marks) {
    let [best, least] = [tried(at, size, 0, FAR[0]), Infinity];
    for (const [nth, far] of FAR.flatMap((far) => Array.from({ length: WAYS }, (_, nth) => [nth, far]))) {
      const box = tried(at, size, nth, far);
      let cost = 2 * far + COSTS.out * outside(box, room) + UNDER * inside(lines, box);
      if (cost >= least) continue;
      const line = along(at, end(at, box));
      for (const other of placed) cost += COSTS.label * shared(box, other) + UNDER * inside(line, other);
      for (const other of taken) cost += COSTS.thing * shared(box, other) + (other === spots[placed.length] ? 0 : OVER * inside(line, other));
      if (cost < least) [best, least] = [box, cost];
    }
    placed.push(best);
    lines.push(...along(at, end(at, best)).slice(0, -1));
  }
  return placed;
}
