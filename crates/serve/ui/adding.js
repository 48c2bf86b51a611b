// Adding to the gallery: pictures from this device, a folder of the server's, and what the server is indexing just now.

import { $, button, el, on } from "./dom.js";
import * as api from "./api.js";
import { count, t } from "./i18n.js";
import { dataUrl, picturesOf } from "./picture.js";
import { current } from "./state.js";
import { toast } from "./widgets.js";

const POLL_MS = 1000;
const isGoing = ({ state }) => state === "running" || state === "waiting";

export function createAdding(added) {
	let timer = 0;
	let going = 0; // jobs

	/// One after the other: each is as large as it is.
	async function add(files) {
		const told = { added: 0, same: 0 };
		const refused = [];
		for (const [at, { name }] of files.entries()) {
			toast(t("Adding {at} of {n}", { at: at + 1, n: files.length }));
			try {
				const items = [{ name, image: await dataUrl(files[at]) }];
				const answer = await api.post("/v1/items", { gallery: current().gallery || undefined, items });
				const { status, detail } = answer.items[0];
				if (status in told) told[status] += 1;
				else refused.push(`${name}: ${detail}`);
			} catch (error) {
				refused.push(`${name}: ${error.message}`);
			}
		}
		toast([t("{added} added, {same} were there already.", told), ...refused].join("\n"));
		added();
	}

	/// Looks what is being indexed, again and again only while something is.
	async function poll() {
		clearTimeout(timer);
		const { jobs } = await api.get("/v1/jobs").catch(() => ({}));
		$("#adding-folder").hidden = !jobs; // a server without
		if (!jobs) return;
		$("#jobs").replaceChildren(...jobs.map(shown).reverse());
		const now = jobs.filter(isGoing);
		$("#progress").hidden = !now.length;
		if (now.length) {
			$("#progress").textContent = t("Indexing {done} of {seen}", { done: count(now[0].done), seen: count(now[0].seen) });
			timer = setTimeout(poll, POLL_MS);
		}
		if (now.length < going) added();
		going = now.length;
	}

	const complain = (error) => toast(error.message);

	function shown(job) {
		const { id, path, kind, state, seen, done, failed, failed_count: n, detail } = job;
		return el("li", {},
			el("strong", { text: path ?? kind }),
			el("span", { class: "quiet", text: ` ${t(state)} · ${count(done)} / ${count(seen)} ` }),
			isGoing(job) && button("link", t("Stop"), () => api.remove(`/v1/jobs/${id}`).then(poll, complain)),
			isGoing(job) && el("progress", { max: seen || 1, value: done, "aria-label": path }),
			detail && el("p", { class: "notice", text: detail }),
			n > 0 && el("p", { text: t("Files that could not be read: {n}", { n: count(n) }) }),
			...failed.map((file) => el("p", { class: "quiet", text: `${file.path}: ${file.detail}` })));
	}

	/// A small folder is done before it is looked at for the first time.
	function begun() {
		going += 1;
		return poll();
	}

	on("#adding-folder", "submit", (event) => {
		event.preventDefault();
		const path = $("#folder").value.trim();
		if (path) api.post("/v1/folders", { gallery: current().gallery || undefined, path }).then(begun, complain);
	});
	on("#add-pictures", "click", () => $("#added").click());
	on("#added", "change", (event) => {
		const files = picturesOf(event.target);
		event.target.value = "";
		$("#adding").hidePopover();
		if (files.length) add(files);
	});

	return { add, poll };
}
