// The server's HTTP API: requests, and what goes wrong with them in plain words. Aborted requests reject with an
// AbortError, which callers leave alone.

import { t } from "./i18n.js";

/// What the server or the network refused, with the words to show.
export class Problem extends Error {
	constructor(status, title, detail) {
		super(detail || title);
		Object.assign(this, { name: "Problem", status, title, detail });
	}
}

async function request(path, { body, signal } = {}) {
	const options = body
		? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal }
		: { signal };
	try {
		const response = await fetch(path, options);
		if (!response.ok) throw await problem(response);
		return await response.json();
	} catch (error) {
		if (error instanceof Problem || error.name === "AbortError") throw error;
		throw new Problem(0, t("error.offline"), t("error.offline.detail"));
	}
}

async function problem(response) {
	const told = await response.json().catch(() => ({}));
	const known = { 401: "key", 403: "key", 413: "large", 429: "busy", 503: "busy" }[response.status];
	const title = known ? t(`error.${known}`) : response.status >= 500 ? t("error.server") : told.title || t("error.request");
	return new Problem(response.status, title, told.detail ?? `HTTP ${response.status}`);
}

const query = (values) => {
	const kept = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
	return kept.length ? `?${new URLSearchParams(kept)}` : "";
};

export const stats = (signal) => request("/v1/stats", { signal });
export const search = (body, signal) => request("/v1/search", { body, signal });
export const items = (values, signal) => request(`/v1/items${query(values)}`, { signal });
export const item = (id, gallery, signal) => request(`/v1/items/${id}${query({ gallery })}`, { signal });
export const similar = (id, k, gallery, signal) => request(`/v1/items/${id}/similar${query({ k, gallery })}`, { signal });
export const fields = (gallery, signal) => request(`/v1/fields${query({ gallery })}`, { signal });
export const values = (name, about, signal) =>
	request(`/v1/fields/${encodeURIComponent(name)}${query(about)}`, { signal });

/// An item's thumbnail where no hit has told its address.
export const thumbnailOf = (id, gallery) => `/v1/items/${id}/thumbnail${query({ gallery })}`;
