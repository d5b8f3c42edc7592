"""GLSL 3.3 for people and places. Clothes are the body's helper meshes, cut by template coordinates."""

LIGHT = """
float hash(vec3 p){p=fract(p*vec3(.1031,.1030,.0973));p+=dot(p,p.yzx+33.33);return fract((p.x+p.y)*p.z);}
float noise(vec3 x){vec3 i=floor(x),f=fract(x);f=f*f*(3.-2.*f);
 return mix(mix(mix(hash(i),hash(i+vec3(1,0,0)),f.x),mix(hash(i+vec3(0,1,0)),hash(i+vec3(1,1,0)),f.x),f.y),
            mix(mix(hash(i+vec3(0,0,1)),hash(i+vec3(1,0,1)),f.x),mix(hash(i+vec3(0,1,1)),hash(i+vec3(1,1,1)),f.x),f.y),
            f.z);}
uniform vec3 sky;uniform vec3 ground;uniform vec3 key;uniform vec3 key_direction;
vec3 lit(vec3 world,vec3 n,vec3 albedo){
 vec3 light=mix(ground,sky,.5+.5*n.z)+key*max(0.,dot(n,key_direction)*.8+.2);
 return albedo*light*mix(.75,1.,smoothstep(0.,.35,world.z));}
vec4 tone(vec3 c){c=c*(1.+c*.12)/(1.+c*.75)*1.25;return vec4(pow(clamp(c,0.,1.),vec3(1./2.2)),1.);}
vec3 linear(vec3 c){return pow(c,vec3(2.2));}
"""

# part: 0 skin, 1 top, 2 bottom, 3 shoes, 4 skirt, 5 long hair, 6 hair or hat, 7 eyes, 8 bag
PERSON_VERTEX = """#version 330
in vec3 position;in vec3 normal;in vec3 rest;in vec4 paint;
uniform mat4 clip;uniform mat4 model;uniform int part;uniform float looseness;uniform bool hat;
out vec3 world;out vec3 n;out vec3 t;out vec4 mask;
void main(){float off=0.;
 if(part==1)off=looseness*(1.+.5*smoothstep(.25,-.05,rest.z));
 if(part==2)off=.012*mix(.8,1.6,clamp(paint.y,0.,1.))*step(-.5,paint.y)+.004;
 if(part==3)off=.011; if(part==4)off=.006+.5*looseness; if(part==6)off=hat?.026:.014;
 vec4 a=model*vec4(position+normal*off,1);world=a.xyz;n=mat3(model)*normal;t=rest;mask=paint;gl_Position=clip*a;}
"""
PERSON_FRAGMENT = (
    """#version 330
in vec3 world;in vec3 n;in vec3 t;in vec4 mask;layout(location=0)out vec4 colour;layout(location=1)out float identity;
uniform int part;uniform float id;uniform vec3 a;uniform vec3 b;uniform vec3 strap_colour;uniform vec3 strap;
uniform sampler2D cloth;uniform sampler2D second;uniform vec2 repeat;uniform int cut;
uniform float seed;uniform bool hat;
uniform vec4 ends;     // of sleeves and trousers, heights of neck and hem
uniform vec3 heights;  // of the skirt's end, the hair's end, the waist
"""
    + LIGHT
    + """
vec3 skin(){
 float arm=mask.x,leg=mask.y,neck=ends.z+.10*abs(t.x)+(t.y>0.?.035:0.);
 if(leg>.955&&t.z<-.7)discard;
 if(arm<ends.x-.03&&t.z<neck-.02&&t.z>.0)discard;
 if(arm<-.5&&t.z<=.02&&leg<ends.y-.03)discard;
 vec3 al=mix(a,a*vec3(.85,.45,.45),mask.z*.8); al=mix(al,al*vec3(.55,.4,.38),mask.w*.6);
 if(b.x>=0.&&t.y<-.06&&t.z<.655&&t.z>.575&&mask.z<.3)al=mix(al,b,.75*smoothstep(.655,.635,t.z));
 if(t.z>.712&&t.z<.722&&t.y<-.1&&abs(t.x)>.012&&abs(t.x)<.055)al*=.45;
 return al*(.93+.14*noise(t*40.));}
vec3 garment(){
 float arm=mask.x,leg=mask.y,neck=ends.z+.10*abs(t.x)+(t.y>0.?.035:0.);vec2 uv=t.xz;if(arm>0.)uv=vec2(t.y,arm*.45);
 if(part==1){if(arm>ends.x||t.z>neck||(t.z<ends.w&&arm<-.5))discard;}
 if(part==2){if(arm>-.5||t.z>heights.z||leg>ends.y||leg>.97)discard;}
 if(part==4){if(t.z<heights.x||t.z>heights.z)discard;}
 vec3 first=linear(texture(cloth,uv*repeat.x).rgb),al=first;
 if(part==1||(part==4&&cut==4)){
   vec3 other=linear(texture(second,uv*repeat.y).rgb);bool body=arm<-.5,front=t.y<0.;float gap=.03+.05*max(0.,t.z-.25);
   if(cut==1&&(!body||t.z>.38))al=other;
   if(cut==2&&body&&front&&abs(t.x)<.095&&t.z>.24&&t.z<.41)al=linear(texture(second,vec2(t.x+.095,.41-t.z)/.19).rgb);
   if(cut==3&&arm>-.2)al=other;
   if(cut==4&&body&&front&&abs(t.x)<gap)al=other;
   if(cut==4&&body&&front&&abs(abs(t.x)-gap)<.006)al=first*.5;
   if(cut==5&&t.x>0.)al=other;
   if(cut==6&&body&&t.z<ends.w+.09)al=other;
   if(strap.z>0.&&body&&abs(t.x*strap.x+t.z-strap.y)<strap.z*1.4)al=strap_colour;}
 if(part==2)al=mix(al,al*1.25,smoothstep(.2,.0,abs(leg-.35))*step(t.y,0.)*.5);
 return al;}
void main(){
 vec3 m=normalize(n),al=a;
 if(part==0)al=skin();
 else if(part==7){al=vec3(.8);if(length(vec2(abs(t.x)-.0295,t.z-.697))<.0075)al=vec3(.08,.05,.03);}
 else if(part==5||part==6){
   if(part==5&&t.z<heights.y)discard;
   float line=t.z-(.742-.61*(t.y+.13))+(hat?.0:.012*(noise(t*60.)-.5));
   if(part==6){if(line<0.)discard;if(!hat&&abs(t.x)>.077&&t.y>-.055&&t.y<.015&&t.z<.725)discard;}
   float s=noise(vec3(t.x*170.,t.y*170.,t.z*18.)),s2=noise(vec3(t.x*60.,t.y*60.,t.z*8.+7.));
   if(!hat||part==5){al=a*(.55+.5*s+.35*s2);m=normalize(m+.35*(vec3(s2,s,s2)-.5));}}
 else if(part==3){if(mask.y<.90||t.z>-.69)discard;al=t.z<-.845?b:a;}
 else if(part==8)al=linear(texture(cloth,(abs(n.z)>.6?t.xy:vec2(world.x+world.y,world.z))*2.).rgb);
 else{al=garment();
   float w1=noise(t*vec3(17,17,11)+seed),w2=noise(t*vec3(34,34,20)+seed*2.);
   m=normalize(m+.75*(vec3(w1,noise(t*13.+5.+seed),w2)-.5));al*=.80+.25*w1+.12*w2;}
 if(!gl_FrontFacing)m=-m;
 colour=tone(lit(world,m,al));identity=id;}
"""
)

BOX_VERTEX = """#version 330
in vec3 corner;in vec3 normal;uniform mat4 clip;uniform mat4 model;out vec3 world;out vec3 n;out vec2 uv;
uniform float repeat;
void main(){vec4 a=model*vec4(corner,1);world=a.xyz;n=normalize(mat3(model)*(normal/vec3(dot(model[0],model[0]),
 dot(model[1],model[1]),dot(model[2],model[2]))));
 vec3 size=vec3(length(model[0].xyz),length(model[1].xyz),length(model[2].xyz))*corner;
 uv=(abs(normal.z)>.5?size.xy:abs(normal.x)>.5?size.yz:size.xz)*repeat;uv.y=-uv.y;gl_Position=clip*a;}
"""
BOX_FRAGMENT = (
    """#version 330
in vec3 world;in vec3 n;in vec2 uv;layout(location=0)out vec4 colour;layout(location=1)out float identity;
uniform sampler2D surface;uniform vec3 tint;
"""
    + LIGHT
    + """
void main(){colour=tone(lit(world,n,linear(texture(surface,uv).rgb)*tint));identity=0.;}
"""
)
SHADOW_VERTEX = """#version 330
in vec2 corner;uniform mat4 clip;uniform vec2 spot;uniform vec2 along;out vec2 q;
void main(){q=corner;vec2 side=vec2(-along.y,along.x)*.45/max(length(along),.001);
 gl_Position=clip*vec4(spot+along*(.5+.5*corner.x)*1.0-.35*along/max(length(along),.001)*(1.-corner.x)*.5+side*corner.y,.004,1);}
"""
SHADOW_FRAGMENT = """#version 330
in vec2 q;layout(location=0)out vec4 colour;layout(location=1)out float identity;uniform float depth;
void main(){float r=length(q);colour=vec4(vec3(1.-depth*exp(-3.*r*r)*(1.-smoothstep(.7,1.,r))),1.);identity=0.;}
"""
