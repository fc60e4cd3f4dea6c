// The stream of events is read right wherever its pieces are cut.
import assert from 'node:assert/strict';
import test from 'node:test';
import { reader } from '../../web/events.js';

const STREAM = 'event: position\nid: 370203:7\ndata: {}\n\n: still here\n\nid: 370203:8\r\nevent: work_order.opened\r\ndata: {"a":\r\ndata: 1}\r\n\r\n';

const EXPECTED = [
  { id: '370203:7', event: 'position', data: '{}' },
  { id: '370203:8', event: 'work_order.opened', data: '{"a":\n1}' },
];

test('messages are the same however they are cut', () => {
  for (let size = 1; size <= STREAM.length; size++) {
    const got = [];
    const read = reader((message) => got.push({ ...message }));
    for (let at = 0; at < STREAM.length; at += size) read(STREAM.slice(at, at + size));
    assert.deepEqual(got, EXPECTED, `pieces of ${size}`);
  }
});
