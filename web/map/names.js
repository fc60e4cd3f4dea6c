// Names of sub-districts, each once, in its middle.
import { get } from '../api.js';
import { anchor } from './geometry.js';

/** @param {any} map */
export async function nameSubdistricts(map) {
  const { features } = await get('/v1/layers/subdistricts.geojson');
  const points = features.map((/** @type {any} */ { geometry, properties }) => {
    return { type: 'Feature', geometry: { type: 'Point', coordinates: anchor(geometry) }, properties: { name: properties.name } };
  });
  map.getSource('names').setData({ type: 'FeatureCollection', features: points });
}
