// Why a picture was found: its map, and the words underlined by what they add; a word under the pointer lights its parts.

import { button, el, replace } from "./dom.js";
import * as api from "./api.js";
import { t } from "./i18n.js";

/// What the map's colours stand for, who says so, and how far to believe it: R² of what was asked, and of what was left out.
function legend({ method, map, r2, r2_left_out: unseen, notes = [] }) {
	const fit = [r2, unseen].map((one) => one?.toFixed(2)).filter(Boolean).join(" / ");
	return [
		el("div", { class: "scale" }, Math.min(...map).toPrecision(2), el("i"), Math.max(...map).toPrecision(2)),
		el("p", { class: "quiet", text: [method, fit && `R² ${fit}`, ...notes].filter(Boolean).join(" · ") }),
	];
}

/// The score that is shown is explained: of who looked again by hiding, else the fast map at once, and then with what each word has to
/// do with each part.
export function explanation(like, query, gallery, by, signal) {
	const ways = by ? [{ score: by }] : [{}, { method: "fixlip" }];
	const place = el("div", { class: "map" }, button("button", t("Show the map"), async () => {
		try {
			for (const way of ways) {
				const answer = await api.post("/v1/explain", { like, query, pictures: true, ...way, ...(gallery && { gallery }) }, signal);
				const { picture, words } = answer;
				const image = el("img", { src: picture, alt: "" });
				const most = Math.max(...words.map(({ weight }) => Math.abs(weight)));
				replace(place, image, ...words.map(({ text: word, weight, picture: own = picture }) => {
					const [light, dark] = [own, picture].map((shown) => () => (image.src = shown));
					const one = el("span", { text: word, title: weight.toFixed(3), class: weight < 0 && "against", tabindex: 0, pointerenter: light, pointerleave: dark, focus: light, blur: dark });
					one.style.borderBottomWidth = `${(6 * Math.abs(weight)) / most}px`;
					return one;
				}), ...legend(answer));
			}
		} catch (error) {
			if (!signal.aborted) place.append(el("p", { class: "notice", text: error.message }));
		}
	}));
	return place;
}
