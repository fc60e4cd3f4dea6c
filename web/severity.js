// How much a finding matters: a colour, a shape and a word, always all three; and which rule is how severe.

/** @typedef {'error'|'warning'|'notice'} Severity */

export const SEVERITIES = /** @type {Severity[]} */ (['error', 'warning', 'notice']);

/** Colours for the map; the style sheet has the same. Far apart from each other and from the ground to every eye. */
export const TINTS = { error: '#d4145a', warning: '#4b1a5e', notice: '#22303f' };

/** Shapes, on 24 × 24: none is that of an order. */
export const OUTLINES = {
  error: 'M8 2h8l6 6v8l-6 6H8l-6-6V8Z',
  warning: 'M4 4h16v16H4Z',
  notice: 'M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17Z',
};

/** What is drawn into them. */
export const SIGNS = { error: 'M8.500 8.500l7 7M15.500 8.500l-7 7', warning: 'M12 8v4.500M12 16.200v.1', notice: 'M12 11.500v4.500M12 8v.1' };

/** The rules in the service's order, the most severe first. */
export const RULES = /** @type {Record<string, Severity>} */ ({
  'cover-outside-grids': 'error',
  'grids-overlap': 'error',
  'grids-gap': 'error',
  'unit-unreachable': 'error',
  'near-duplicate': 'warning',
  'owner-missing': 'warning',
  'load-class-unfit': 'warning',
  'grid-without-leader': 'warning',
  'category-contradicts-owner': 'notice',
  'category-contradicts-neighbours': 'notice',
  'person-without-area': 'notice',
});
