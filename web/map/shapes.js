// The shapes of the orders' states, drawn here: no picture is fetched.
import { ALL, COLOURS, SHAPES } from '../status.js';

const SIZE = 24;
const SCALE = 2;

/** @param {import('../status.js').Shown} shown */
function draw(shown) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = SIZE * SCALE;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  pen.scale(SCALE, SCALE);
  pen.lineJoin = pen.lineCap = 'round';
  const path = new Path2D(SHAPES[shown]);
  const line = (/** @type {string} */ colour, /** @type {number} */ width) => {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke(path);
  };
  if (shown === 'closed') {
    line('#ffffff', 6.5);
    line(COLOURS.closed, 3.5);
  } else if (shown === 'waiting') {
    pen.fillStyle = '#ffffff';
    line('#ffffff', 7);
    pen.fill(path);
    line(COLOURS.waiting, 3.6);
  } else {
    line('#ffffff', 4);
    if (shown === 'soon') line('#5c3d00', 2);
    pen.fillStyle = COLOURS[shown];
    pen.fill(path);
  }
  return pen.getImageData(0, 0, canvas.width, canvas.height);
}

/** @param {any} map */
export function shapes(map) {
  map.once('style.load', () => {
    for (const shown of ALL) map.addImage(shown, draw(shown), { pixelRatio: SCALE });
  });
}
