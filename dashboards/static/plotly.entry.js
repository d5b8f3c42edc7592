// What of plotly.js the dashboard draws with. Streamlit's own copy holds maps and 3D as well and is four times as large.
//
//   npm install --ignore-scripts plotly.js@4.1.1 esbuild@0.28
//   npx esbuild plotly.entry.js --bundle --minify --format=esm --target=es2022 --define:global=globalThis \
//     --loader:.css=empty --legal-comments=eof --outfile=plotly.min.js \
//     --banner:js="/*! plotly.js 4.1.1, MIT License, Copyright (c) 2016-2024 Plotly Technologies Inc., see plotly.LICENSE */"
import plotly from "plotly.js/lib/core";
import bar from "plotly.js/lib/bar";
import heatmap from "plotly.js/lib/heatmap";
import sankey from "plotly.js/lib/sankey";

plotly.register([bar, heatmap, sankey]);
export default plotly;
