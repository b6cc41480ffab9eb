"""The look of the EDA's page, light and dark, for wide and narrow windows."""

from __future__ import annotations

from typing import Final

#: Style sheet that stands in the page itself.
CSS: Final = """
:root {
  color-scheme: light dark;
  --ground: #f6f7f8; --card: #ffffff; --ink: #1d2329; --dim: #5b6672; --line: #dce1e6; --accent: #1769a5;
  --bar: #7fb2dc; --track: #eceff2; --error: #c62828; --warning: #e08a00; --note: #8494a3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #13171b; --card: #1b2026; --ink: #e5eaef; --dim: #98a4b0; --line: #343d47; --accent: #6bb6ea;
    --bar: #3f7fb3; --track: #2a323a; --error: #ff6f61; --warning: #f0b44c; --note: #8494a3;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto,
  "Noto Sans", "Noto Sans CJK KR", sans-serif; overflow-wrap: anywhere; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 0 0 .6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .5rem; }
p { margin: .4rem 0 .8rem; color: var(--dim); max-width: 48rem; }
.page { display: grid; grid-template-columns: 13rem minmax(0, 1fr); max-width: 84rem; margin: 0 auto; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding: 2rem 1rem 2rem 1.5rem;
  font-size: .9rem; }
nav ol { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .22rem 0; color: var(--dim); }
nav a:hover { color: var(--accent); }
main { padding: 2rem 1.5rem 4rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.2rem 1.3rem;
  margin: 1.2rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .8rem; margin: 1.2rem 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1rem; }
.tiles b { display: block; font-size: 1.5rem; font-weight: 650; line-height: 1.25; }
.tiles span { color: var(--dim); font-size: .88rem; }
.scroll { overflow: auto; max-height: 34rem; margin: .6rem 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .8rem .32rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top;
  min-width: 4.2rem; max-width: 30rem; overflow-wrap: break-word; }
th { position: sticky; top: 0; background: var(--card); font-weight: 600; color: var(--dim); vertical-align: bottom;
  overflow-wrap: normal; }
th.n, td.n { text-align: right; padding-right: 1.2rem; white-space: nowrap; }
td:last-child:not(.n) { min-width: 12rem; }
td.name { min-width: 6rem; max-width: 18rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.share i { display: inline-block; width: 4.5rem; height: .55rem; margin-left: .6rem; border-radius: 2px;
  background: linear-gradient(90deg, var(--bar) var(--share), var(--track) var(--share)); }
.part { background: linear-gradient(90deg, var(--bar) var(--share), var(--track) var(--share)) left bottom /
  calc(100% - 1.2rem) 3px no-repeat; }
.heat { background: color-mix(in srgb, var(--bar) var(--share), transparent); padding-left: .5rem; }
.heat.bad { background: color-mix(in srgb, var(--error) var(--share), transparent); }
.heat small { display: block; font-size: .82em; opacity: .75; }
.part small { display: inline-block; min-width: 3.6rem; color: var(--dim); font-size: .82em; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); gap: 0 1.6rem; }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin-right: .5em; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: 1rem 1.6rem; }
.chart { margin: 0; min-width: 0; }
.chart figcaption { font-weight: 600; margin-bottom: .2rem; }
.chart svg { stroke-linejoin: round; display: block; width: 100%; height: auto; max-width: 34rem; }
.chart svg text { font-family: inherit !important; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(13rem, 46%), 1fr)); gap: .9rem;
  align-items: start; margin-bottom: .6rem; }
.sheet figure { margin: 0; }
.sheet img, .sheet .lost { display: block; width: 100%; height: auto; border-radius: 6px; }
.sheet .lost { border: 1px dashed var(--line); padding: 2.5rem .5rem; text-align: center; color: var(--dim); }
.sheet figcaption { font-size: .8rem; color: var(--dim); margin-top: .25rem; line-height: 1.35; }
@media (max-width: 60rem) {
  .page { display: block; }
  nav { position: static; max-height: none; padding: 1.2rem 1rem 0; }
  nav ol { display: flex; flex-wrap: wrap; gap: 0 1rem; }
  main { padding: 1rem .8rem 3rem; }
  section { padding: 1rem .9rem; }
  td, th { padding-right: .6rem; }
}
@media print {
  nav { display: none; }
  .page { display: block; }
  .scroll { max-height: none; }
}
"""
