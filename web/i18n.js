// Words of the page, in Chinese and English.

/** @type {Record<string, string>} */
let words = {};
export let language = 'zh-CN';

const LANGUAGES = ['zh-CN', 'en'];

/** The language chosen before, or the browser's; Chinese where neither is known. */
export function preferred() {
  const kept = localStorage.getItem('guli.language');
  if (kept && LANGUAGES.includes(kept)) return kept;
  return navigator.language.toLowerCase().startsWith('en') ? 'en' : 'zh-CN';
}

/** @param {string} chosen */
export async function speak(chosen) {
  const answer = await fetch(new URL(`./i18n/${chosen}.json`, import.meta.url));
  words = await answer.json();
  language = chosen;
  document.documentElement.lang = chosen;
  document.title = t('title');
}

/** @param {string} chosen */
export async function choose(chosen) {
  localStorage.setItem('guli.language', chosen);
  await speak(chosen);
}

/**
 * The words under a name, with `{values}` put in.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 */
export function t(name, values = {}) {
  const text = words[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, value) => String(values[value] ?? ''));
}

/**
 * Words that may be missing: a district can have kinds of damage of its own.
 * @param {string} name
 * @param {string} other
 */
export function tOr(name, other) {
  return words[name] ?? other;
}
