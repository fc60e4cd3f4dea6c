// The shapes of orders' states and of findings, drawn here: no picture is fetched.
import { OUTLINES, SEVERITIES, SIGNS, TINTS } from '../severity.js';
import { ALL, COLOURS, SHAPES } from '../status.js';

const SIZE = 24;
const SCALE = 2;

function paper() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = SIZE * SCALE;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  pen.scale(SCALE, SCALE);
  pen.lineJoin = pen.lineCap = 'round';
  return { pen, done: () => pen.getImageData(0, 0, canvas.width, canvas.height) };
}

/** @param {import('../status.js').Shown} shown */
function draw(shown) {
  const { pen, done } = paper();
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
  return done();
}

/** @param {import('../severity.js').Severity} severity */
function drawSeverity(severity) {
  const { pen, done } = paper();
  const [outline, sign, tint] = [new Path2D(OUTLINES[severity]), new Path2D(SIGNS[severity]), TINTS[severity]];
  const white = severity === 'notice';
  pen.strokeStyle = '#ffffff';
  pen.lineWidth = white ? 6 : 3.5;
  pen.stroke(outline);
  pen.fillStyle = white ? '#ffffff' : tint;
  pen.fill(outline);
  pen.strokeStyle = white ? tint : '#ffffff';
  pen.lineWidth = 2.6;
  if (white) pen.stroke(outline);
  pen.stroke(sign);
  return done();
}

/** @param {any} map */
export function shapes(map) {
  map.once('style.load', () => {
    for (const shown of ALL) map.addImage(shown, draw(shown), { pixelRatio: SCALE });
    for (const severity of SEVERITIES) map.addImage(severity, drawSeverity(severity), { pixelRatio: SCALE });
  });
}
