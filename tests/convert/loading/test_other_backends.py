"""A Keras 3 file does not depend on the backend that trained it."""

import base64

import numpy as np
import pytest

pytestmark = pytest.mark.tf
# Trained for two epochs and saved by Keras 3.15.1 with KERAS_BACKEND=jax (JAX 0.10.2): TimeDistributed Conv2D and
# GlobalAveragePooling2D, LSTM or GRU, Dense. Their zip archives are compressed anew.
LSTM_BY_JAX = """
P)h>@6aWAK2mrN(eqD=2dObh@002M$000dD003=ebYWy+bYU)Pb8l{|R?1E-N-T~qOD!tS%+FJ@QcyD1Gc?sRRMJsUN=Yn9jW13t
OHBcZ8yOgx=^7g98XGtmnpv5cSecqC)dB!eO9KQH000080JVjFUBmsssu%<S067%^01E&B0Ap`%W@%?GYIARH?O1JZ+cpsXD}g>|
f#2qreJd7V7|>z^ntfSO5NGKuv!O_pFG<|O|9wY_ifLPRlGSVLp@zQr?sWI?czo`t&sn7kCoucvBD+NmCcC`IaskFL2~`lk#g7i9
<sgDi$ptS-{yA$6%$9-Gz$MIsORF7{sIaRV!z)h)yS^dQKb7G5>Oi!GP+*6HY)xv7B{vo|7Oey6gdl}kf)}d!2h1(w1!?-j*?2G>
&ZeVLe>NQZ*9ELl8`8boLv|H)djNlzwX?6iatGfWY`$a^I4t#D17vi0F%8e~eUgXAHF%^oXyb(o5XL7<Ls?>x2-?WpM`of8t!m4a
q?|{~!}%c1^VfI7E4(Hrn$Mjj9Nn8>$%+-*X6Lr?UAPXW<yR%|2G<9W<zD%n<iKkdT-c_t2bUq3M8ORI6bf?~i_!00fuZ{Qmlu66
s-Y;j^bxZ=5In4?01IrPbOkmnbqSKZ8LC5LgPsfUg~&8mOr4clx!SuYK?b?ycfrm((I}jM*BNAU4rY_Ah?Pt3>4Xq>?^2@gNaJrp
X=VSC+{4~Uq``2uVzo3!3LZilqD(ovBRrmLzkn|U{5NW4wt*gx8Ph}tPJoV4BmRJ=Qxi6U+f}zV`XmS@RI%N0xu-aK4(E=Gf+dM>
QoTcuEjO;$CvY}O{r&fp$NK+!(xZbk2l48Tj7ow@IAwW|1j}H|ps{9kG(Wf2@D$(OBGv`3%rn~VX=-{Lp1})i`t{qJHwTg>jIGXW
Q#4wqC2I!F98EedMU`#ZPb)4Jn?rtk54uRLgW1A~MC7DaA{7uTDi*r{6#}ck+-})(+qTy2wq`*tvj8b~TGK?#w)KXWm1?@`*>}F9
TQ`~Xri0<2x86#|mo4oNZI`MH1MjhQl~mIn$W`y(W1mdNz3I1T?N0-njz{ZQgT6LPwB2RY+2J=^@wEnrO~mJq6`qE)s;L-B(7Wnw
x!Khun|~U%eJRggqomtgHvtx{?u?kWWw+rTyBW2x6+HZy+rRqU{^H4;6dxT(%Re<&vqyL*Iw$^+ynnQQau`4DXdlvD)m&iun*SP7
9o)u8ZO10QDxf-Wt{|!ef|fMQws&0Oo?gG#{6>?}Y%=<}?+?s9@^VQeg*mJ?OUwnYrLX8slWIogeTA3M&D$jj@@EYzNCpu4$0}73
9l9!jna!e9(d>P%xka|n&8U>X5Q-LUa-h5|=wz#;z)B4TZ|0TURW4rWX}{{^e9e&t<9-vc{X2;91Ay9a5vZb%KlLV_KPuxrKkEZk
fEQ>cd=FzeWx7<F=RQw#$_&9H?hgzYR?_4;!B-*O%<@FgSWu)rjdqeDT~f4IZOw+X1XiPF_&^OO@}B>C@qzmW7HTe1-g^BHP)h>@
6aWAK2mrN(eqDoT-reyF005MF000mG003=oWMynFcV%g3XmoQfXf^F!eOyyjAKwdu0lrMdLbODZ0+ca!Cu0}5fTFw#e8dzh9vCtK
c^Sf>Nr{LcsHlioWMuTHg{5gGI4*2prGZh8g=LSAJdeFTXjwj=G<z|9oI3}1uiGF*Hsk#MIh?!SJ?HLszUTbDzu!4`tPcyBH`>n0
j-eGUmtn==G4$mIkeWhj9e$n!N+u{PK-s{8*O|9Ia|GANf%fTo3m43ttJS_i6WGr=j;`b~kc>nLn;RUfE#pDm4U`=$s$PLKH&0t;
N>|FXf5~$c=~?N8vRoQY1q1At$zW6P%LDjzv!UW&hhK(K{31d4)yFSf$0|5<yy+x%i299-jtS9X7_RCS4^sO%2<j&%=}L(6nkT4w
t)PDPDeCh(v#EMvpq|G0YmFcDTlDWYiV+09KZoIP(<<50ESa`GiOIZm2d~dIT#B8v4!6SQw(Uaa#6&R};0BtWR`O&k@@3hIbZMrp
&gxr_baHc*lO?94=P7d2lk*j_6!4e~YfvtgXBP-l7&ra9PR1L#FVS0f9S$GFLu#fxS(=$BEs*6(Q)P)ca(QNYcB(K1wh!CQ%u{4(
OYqegwtCkSm&!6TY50fzq{y=KWP19rJ!y(GOMe{BjX`S(5+q2FAVGoz2@)hokRZ8##aN!4o}cM2PtJWvS2`n;j!2>B8N)z%X%bbB
p7$|!9p-~zUI*rBV1A0%4}No;boHt!1H&(G8o)6cN`zlMJRO`u)uZh5=;1MFkp1fN<W_z6pNoOG26zMsdA9|+(idD;`cw7lLA{-z
;yBESsz;v}aJ_cpQ}tp&Jx6eVjGwXnvUnF=J&B>e4xs%qBm-Lq;5<?})A0u8$q@CcTL)Nueof^<?dKe*GhC_975gw%PYLR^Bb10i
|4+BWVE4<k*WrE{%LLz`k57Mm!`BV*4YbbOUT5IEcXl<*H<&bDJ=A`(*xityG>+en8Pw-Sg81^Sb?`B&9;A=nG{1Rwe3{v|ZYo`A
JQ&p5A46j_5I;$`*I@mmwVt13gZr6!3QVwaF|C+=I)+M?k?VJU?s%)|an4i0nGI*ggIvagtHI}-o6o2HoW)`>bx*59D4Ti7L#OdM
%_8yl)ZT6{G!nlo{den;qqPJ_UPpXgSf)v_UrTgr=4lSeyVY?46AAC;=QX{r6$hMrW;>Bke29qbAPCv6`NT_Gb`b|pJf_JAepa*5
eX-`@#%2vK`&Er%sXxA8&pyqCv5Pc$J2$Gypj^%LjOR5Pyoq?@kO$#ZzfE0Y?Hv&3`v&pinOIHyshyf~=W^l*H&dNZrV3zHmjoQW
w2iRZ=Z=5*`&Qymc$E4?U8Q=OoFGDS($&$Gdo^pmewBE0<3mJ@SEc5o4jUq0^n_+*SCe|P$4BbZ7fz`mZ-w*moV#f|K!3sWM01ep
m+A9GhgT+(Nx}Wy<KLNYn0Z!Mls&GVW3|k)V*456+w}ZIe|)6@Lwp<Yl{@)LmEhjy_l)uFOCpq)LUQ+csaR}y^HQ<1X!#~kuN70D
t5-nP<ADG`fQ@XvO}E2f`Sy4{zHMb9FGU}p{`}-g9QjGK&fJ-oQi;uzmvZz+eiF&u`$;7}9Dee4UW(^S?Z+3?<8d@b1M!n|dkxl4
I_mjJjtM_W-#_oqPyP~&{3Kdu4CKEF!+sLJf_AUs$)GvNPa?T{KUp6<yzylH9BMxupx!%|`dq$&RJ|lnFAg5rev)p7!TL!nJwIt}
!cWr2r$0aG9FF`XT4(NzC%N;?6Hlf^81j?G@#`2x_3ubVHh!I<pP~Vje$GKi^Pj$V8BZq7qqbK8>J4FNj0WN->Gm3|pS0EUlQs-P
`?k7+eM}a0-xiJ|y*~JT+|MHoM-oc2+PmmLFOhw5Y+Jtiy1M#ZqV4Bz?E;IgOlV6yT}9Ld+qb1(z|}ScJ8+qcBye`he*co<cQk(p
)B#Vo+P1A)wvK?m8w2gr5n;MN=ueX7o7U?)&mTQ9aBn_b=0sZ}E=#a40@M-lfq6kn_0}g#38jN`OOQ*cn$h_Mak@qr&|MJS)}d6j
9{PSiQM!;xFxnIWIpHnDnhz?8y@6u_`a7S&9Wwj1$51^D6w5lF(Xspw(sLcF<wRg{pmNpfz;(Z}T9QYx{dnQmNtc_~jl~c2_gVVm
UrCRn_yO^+JL8A21?Gt#8W#Pz_(2d)eQqQp8@~`w+{aDF4?}%Ux_$vI&j#wf3(*)2Bz~aVYq0SHM=yTh{t2FD{CxCad4^-W;mn44
d0N>g4aAd8W7`zG&BS-dC#yd$D{CvY%V?vYGv+QHSX`i7f-r14E}-&Q_K@ML;t4oYESblivS<5cTCx39wrr!EmHr!~{rP-{B*a;f
&%cwiUVF+sob@TGA<oJ+eg-g^sxMGdBhoIpu8c)P{g=k?LE4HvMSgGlrE}JW2~^JdEU4EdqA?l>XQkU~DE5YJ4RQ#ozV=tYwSV)t
j6Tj_nk#fA-|k6Y>hBACvlzF3#|2`yRXQ+!>X>3$5BiXlT+@1Rt**)YtMOAhwg$^b-DHL_R%_ArkdI%BTkgBG{>yY4!}~66#=kzs
U;Ak;d2B`x?iDB@nceT=rManO_p}zAC!It3J@*fMP0_XHLnYtf<kE0*N6&e@;FUNsqU=Nbvvv>C?ezv+G}@l*V4ueykS`<OOWA@?
T@^+iOFN45wmXtFuATT)MI5>1#lv`ez$4@imsWg7EsxBe@Fk9?tRcBm>u}|!Z=0inJMl3$=975^$MG``VdN*1JMi5n#*ui%kN8-w
fc#%-JN|pMkaP)c!zD?*%?&?Y#@DV5C-Z9F$KReHCvTKD<6)P7Y<}&V!}ysA9MW>fd3u^T#(96yB$3;G8*G=OhbUqBMWG^!Big({
f@P*(#?pG&*bARb6oqV05MCK87G2F6g&o^Kh{kg#V^gn=7j4QpA>4Q2IJWSgWx{c`0it7}zStF~Dy;Kmd+fV%mMHQ@y>O}ZXi@Jj
CoD4UOYFCIRKk|UKV!AORSD}y3q^%psaSo_UTn*0u~7BHDAB~-<FWJCxT11Ldu;Vad(j8itA%x|LPe)Ip9$-%n4<3GXN5)UuVbUT
aAD29SW(ODQP|kycA~<ld6+2YN33!}sPN2BUtt&H@`c0quJ5Sjh9gnSior8#7x^9jy@4D)yG+lxAMDaBcAmB9^<$X%_HzBfzs(4;
s2t(;m{PI(!kyw>8h+C|C1v9CTUX#$gdyZ?kE7yGLrab*CuN8$J0I}f{N7}rsq5Rt@m1xxDoa6LUw>BIrI{o)pFJzHEYY6Q&x<{)
Up(O1RP8Y1z+R<iRYD~8*&YsNmu<^`IyA#`hfTQW;<sMnyMACZV@xE2kK;wy`+tkZc=P#uPp@4w&1cWE*_LQeUO`hMKKJ`sMPnSB
CcfhD(`oCf`g?h)s=z*^@i$L5A3L6=(Z{;GX~V&3J{JkwBO4k^RLK!>lAagJ8&^CZdIYv(>`WPag%-R*&H%4?GJHS@U)6(W&LprM
(4aSH&>J-94I1<Y4SLhw@pT(e+-}{ccP-7dKKxz|%T4RS=bxEjS`Uu?vzh(mHDLZK%d{TMYdNeickDA<^JsdmCC($4U;pdg!;A1Z
AgTA*y7jup%b&i>mt{TUW&8T0?uV^TdaO7<+C%C#WoGcU!yb{F*3N8uGvDha*U8>fgq`lC3VYAtJF}z6qh?4glTYjxMED+Ev_z78
m7x-M^Cgk)8~xHh(zLv_I>UEQ`x43U*=x7rey|sJ<rJ^~?3wQUgHINJTgfSbIBDIiV-v5<TDD|?S3#(&xB2#NPvwK`kwwkd4|}j9
(UDhFYro=1rY*lL5kLBigdbKwn$J$x3M|o1h28V{HxkkW&-v~YR7b@MS2!&eS{;bPhHr0nx)NrDEqVU=ESlDOvh;FGOxGrV$T1+b
cu!&a-W*VVpKn?ZBEjKl(|W~Ff2C<Xh_sn9(|T~_b4WEe$GB(v|AqGh#@-G&?9(NR@v)EEDE>cCO928D0~7!N00;oJg??R&MS49z
0000$0000D00000000000001h0RR910BvP-VPs)+VJ>QOZ*EXa0Rj{Q6aWAK2mrN(eqF=;!KxSp0021^000XB0000000000004ji
YXATMV{dL|X=g5Kb8l`?O928D0~7!N00;oJg??RwXx`oN3jhF=dH?_r00000000000001h0jvZ70Bvt%Wo#~YWoc(<baO6fHBd_h
1^@s600RI60I~o80Lu^n0000
"""
GRU_BY_JAX = """
P)h>@6aWAK2mk;8ApiuUs^UNZ002M$000dD003=ebYWy+bYU)Pb8l{|R?1E-N-
T~qOD!tS%+FJ@QcyD1Gc?sRRMJsUN=Yn9jW13tOHBcZ8yOgx=^7g98XGtm8CV%xS{Ya>)dB!eO9KQH000080000X09IQ3MzaI}08|(N0
1E&B0Ap`%W@%?GYIARH?O5Ax<2Dfe6~oVNAj?j??%Se47X=EmD0W}E2#B#n%iK_;mKP^Z;D7J%qFAyeJ83R$iUxj&W=1oI!{M2s?uVt!
EvLgD2g7TsK%Z%qouQ0!eYUhBGfWEL!_i=vanPCwD82E|ZJiWLR-pWTSR1roHVT-4g%4zur6}UCp-SWP*ZTtyQFjpa7g1UBt5fbpU4Y3
}M6aN7c3*|%d^DJj1|R%ya)s8p*;D};mtZET^PnqG+6kAywF9M~C}`dg)RCEsOn4nyR&j07a_iou1=EHqn%8&(j6NSsETk1^jM?^ixI!
<F&&6j}(n}1e*uomb+`SD3tw`QB>)4DsIS1hn<6eG7)88d$*`{ynV}g$+1^3Dc<>DL73}G(k<7sk{&MuPqB%Pfn(`{WOUATJF@{<(n^s
)z8=9K@E95~IAaT5+fI`Y8;<wUbPU&NDGxNh%ag`idHL>1&Y6E5O#4V?KE<zRp;r7FSrrLI7rH;whCjn^{{u4st@<Nc3EgRyf~C}}I_9
tA_dL%a5N&WWPjx_7OnWWhl1k`=Ks!3;wLcRjn*(08Qq6PHSwFM>JPdx_N4pTk%!;po7vPeYVRYxac4lkFDpOu&CqC3PF<@t849Xka<0
7&YSecsezH6PVd_YokwupnVmaJ(mZHqvvp88P7>0@gdcFR9f@scKZU(8oa!1&|?=>9dP9R5L6NWYwryqeg}!6LQ6%+emy<4Hw14h#3R+
ly|~BU3H~r2?)B@N2ny>7^mU!~?OPB!8UN=g9cf|#{Noyp3WSL`MbS&~g*PS;tVtEk-
&^B5#pc(PRyiy6=>g=0PVB`0(xWFf)Z%NN*&4;8&uj;&y!gTW^v9RJVpR5>)t#coDnT^;ZmGzqZqCM0Wy1VWiwj8>khx6eO>1wqw7em*
LP_2fU|W+UwsEX=68B(d&x~_9Ihacfh}F<T%B)gU;1tl(YgUvpj79H$bUC(l=i~G7B>6DE*tU}Kyruo7%t{s=SG)GQ3an`d<ShA{*wgc
LGD~LZKQWt~0+!C^X>w|S+a>(1=DS_Q$4`HbY?Q39<WP{DB`r6H8cne-
m&OB%2d1&_FVjofT_lp^YqpJNGz{O<x?6@%bGU}pl=X}*a*2zfJp`ZEx_8t``q^8{r77X||BL0DUo4+|bwtH?3&OCw@a^CM-
V2dI`v&+>=C8&DPq^&`TIxLc?r2|)S|9Xu-wknBPYt_zp}~7+8uz}io=9iC9hodE#%a^geX1;b%kn|nQIsEZD0_GUqKZ>cjsokCO4vn`
aT5Nfv*~;`#Q_EFZYV2O*luVBn_Z1$oK?b|(A`iGZf}PQCs_lxjS6$zK}%?`FFuh{me|;A>A}qBQ7Z8|c%zu1WU0bv+kn9(E?Q@Rd0Qe
=$;N>x6yz+-
mzgbX{DOu%RW<lxLGi9O4gu@OG{*M;D$Tg3zA^nFnK?czwe$Rl%Ugu!Y14nKCK+bBkcwq4Pskb?;b9l|jP6$wa^1jJQfy{fLl7)5(t$=
<K`7pv72mXGd0Yais3P<hM~BGc?sMTc=0*`;bCJTg+rI!%O9KQH000080000X0O(DWjbjY}091nj01yBG0Bvt%Wo#~YWoc(<baO6fHSJ
t`KvUHp--F3SF*Hy#Q6T*ZG=V)X8+YsiDTs=SX@X+%kf|eJ$V((t6eJYv=Nl{^q={Cj^M!-
UHcTrj%~CWgA5>~;m}vb{%=8EB+_`%hgAmz@^Zn=SyM1@h+4p?z_wzm9bM96IjSjT78e~Ol5;mJ=L9?Oh%VQu@v&lN~c_e7*pv?pAZU*
r_z4<eH@P1!#eX8BmR{{c>tRGW^=%<#YZP_#^-
BE%9{6m`BFrd4Dwwgh<ON&ZMZffJA7D}65$rDp#@v;nQ5(TH8?d+FMW0LS|1Mur&NyfhxzqD5I3kBj=AHPH#%VSaTrj?LR>UYY-Nu!%E
Ohom(0pxxZK>uo>wk2?$6HT@&1^S5?^7tK@WV;}s&tv_&=8xbl>hJ4K^8>%1MYC=6N<vh;v`HUGr#FAYM&}zg$xls$n`imNcVk9P3Z~P
*7btd3GAA`*c8W}%5EZA@iLloTw6cW6)Rc(ksMoABb@56ojZsh<5hF`ZNs>jUrbuHf!23NwJ6oQR#%r8gV%qw(^1TQy`FjLj=EljRqv9
f>(xgdIbEOf9a(SFAVJ<HQ{6yV&<|d_*@WX!ce#C5PTwG6}6XS@HCL~Ms{6LI5Dkdske}1a_z!(Ds3KS?%pg@5F1qu`>P|ROitCLgfGi
}w$*$&#)6S}lp3Q=cN0G+5eMg|f%GhENE9|!E(z+=dGt)4icefUirq}5jsZXbSaoB)pDRCa6phUxIB6~$n(9kI`&t2;kszuG!EOILS49
!lU^D|JBcJ%ij|@hGxgHPEjIkZ~L|h-
^o_FNpg_=}fk(1v+gwIj)BwWV>{r7YR+xV}|2Pm@_%P!2L2Pe<uzQ_mR?(iZ^gSbW*?CI6&9+7czu$p8>td5zdh@A^4x_ua54QHSKc|`
(+Fx`35y!wv}&)TwuNd<IIydL*U7AxZ!+**kL7b>DS3TndJ(363Wx_WbKHq;7NuqKd*Hq_rrG6wk{m<xYCD{?TUe3HKKd-B-IZc<w+Yo
o@5%~N$UKx#gma9kSAfBX}K;B;yl}Rd22km+tUzFwvOL=9(mkQV4l|;&pgO>M16%z;mwZbdDQh}F^5tw0{V4#I7jW_Nvgj(%9B0xc+vu
VpRQ*>2a$_zLDzAqp_b9g`z=4WZ@zS2$D!a1qa$qqn>Jtx_?*=^zNXI^3<h00S}j7EbbAoF&Qm-R_Duc#xactUVAiF|Jx7Z$U-
@RNA!E7vP_JxkvL;Z?m!DCM!|bqS%0ji^{Vd7A%nevV)&XpJHHIDBF#+qpdI!e)VuZTbFH_ymEmZx%p>p-
Ggc9|mg%VV=vs69yxoPSn+wxVL{gTwhv4!e~Xc<;=*bU3ux=vMY!If+jeTY?k7ouj=Y*kNmd=tBF8K+vYTq(J_c9~>-
{W`3Ak{ep{=NfEfP_U|cOMz;U9K$l?GS#et_tnxXCD_$`2Q1a2K)v@fOKc-=hI-
5wWvWWoFI7G_Yg9zusylzmHSPz3FGK=(50ZJAdcSD#N~hCFxPN;52O)+t&pfm8$J;dwJlLKoZY|%Y*5}*GSH41Fz76x0midZOXqvi|y$
`HQL3#SRR65$Vb*Xe8O1%l_RTz0(HX^c}2<TyG_s+Mee&}ev-
A^yyW*MnVQRk;Ep1ki5c@oB%mUXFG%rtc=zfq7Up*%fL7W;PvPd=$jiG0cZL;^j_AI?#Gc#`U`j`F0v9#8f#!jsf<W^M80?y-
<3VVp5g{|+?FlTFWJ(>h^2NeK1%bn0{Egk5XTn-
kBC6VHPa<Lc}xDCBD>9pUScv0b~awWpjXrk=|u##KL%Y-ck@+j@@e-h55<Lr3|VsmIrr?cw1N$ipyxv|O*Qo?x2wYW-wG>s2H8okGqZp
mcBiIuiUtAv)?g3Lb?QMNhe2y*`1$YZF1gA#je`#eWokb(H_udi=+x8QK@t9<Zk~$os;?|2$Fkj_(skPB9!Q(@pB{uv3?@+)+I>Z!Bm~
O+SNZ?4&H;#eJ+b0j!nSvX5Ar{;Qo;m#~MJO6KXiD)>F0Hz${?3;sMP`8JH9+1V=#JAS)HVteiqM*NSPF5i5`c)tX%)K4{TN5t{CY25?
=ZQ+yI0*{@APa5!WoLS-X@X0{z`Oj}xY`uIFQ`{|-eEH)T-`aXi(l<O>a%)Zr*0b<GSjY>(n(qorRQTMUn5D--6=(k%Y<s~zb?#{^3>g
rsmTk{bUzxlOdz`oy+Z5|0Q59~$_B71He%g0O!n)^xB^>bARLA72O&1$7L(MTZ6#T>xD~~ep5=$oTH|$}B`%bzzaTh~;vlkOr3}oVweV
AgZ4F}lxH`?U(W#XIrw0`D<`pjxux!vg3;MxS{b}iQ?oEfHBn-
t9YdutQNNb<O$bZ`6;c&eLed~MR%XS{P}kgr<`^b<4T9JOa{LiJZi*Cs5zwMoyvk^8mYb~OKZ7@@ToW>)z}QhE{ggA-
Hp{>r78+l@Y|Tc?vXemT=LANTI#`-R;bzTy514fVWq-K_SlJLW|}JR4tkkk3nZ9@f&MiMxg@=5=0rwG~r*$eJlmvu5J0<*(HL9B+&NE#
|@e74m<}{IxE|H2G_=%uxQyY!$y%v1I%DERfd%{r&<_`+-
yaug0%}60w68JllS$`RiyYIe(1<dcj;cNA1a9ss8F{{%WC@zgij0A*g%NHqEbX*fd?vU_4i-
jD6CRz7+o>{LRo|*FuNgQd#@*Q+AwjJAy+hGmP62vD!BC-
<F?JvDM+{SK|$1tjMhWA@7%sn(s5goCK{!*FF<GYK9WMF37@n3@=9qAnWlXDg`=Uo{z7%$PmA`CKpe6FdH52?1%Swp&0$4Fc04qtw0~$
PsM*bcNiToZ9V?rxg6Bu><rwZs0h85;g7$#HW&TOD-
r)>kp{hRGYkLi_E|JO;#K_TP*3#Jk2CS%9_PH1d}rg20~Dxc=XQL^>RqVar4@L-
<^n2ATaV`#Y(d#))9^5deQ0p_TzsPIT{LAuE}pih5M3o+j>q*WMz1f5#&=vhhAuskjepdzA3gT&Qk;ibqtk+OaGM8P(7_Q4ar2#L+eA~
$^R>V_{>kTNBPY4P@}ECdh`80B=lhJ!MI?R+f`-W%2;+N%?^N?hVBK(lZ&R0rC~lqSJ7-
QtZWUeQZ?Y>w&YVl)9}60eNTc87Ul!33tEG$h!JcD~{l1U*N0X&U)bSyLhHVarO7bnwH~2N=>r>7=r(7OVwf7r-
=)p2%XT~wU^Ym=Q|4$de%7h~1^5Ihc+SjKbv>|8tUmq1A4$AR@p_djSzKU)9(9l#QKj{G9GL(nBC143|J0&7ty>x-^-
D@5awV;5vp>95MI(#pG&DKz)>z-
MDIN$I})V$W<)ARd^NBG~zyUs7R$^Qhu9ACRmu+H{XFVpQ;a#9ShOif!a9KHXla@P4>BKxdUqV2JkUc;<Um7TM&Q-1nhj@a$!E_BbO-
j$`YFy-$Bs1URMM07WLu-CTa|CR-mFqMCd&lkHqe+#`a{Q+(|zviTxqhAH%g`PM1AM+UdKU+`9jBGc@B3sVS8{c-
1nv;S|vOLCr^~)7rs^6SE*2wR20_IqHVm(XU6u%d~BsnQ}Kkk}~gr~kNNM04@WxBHs7t+8=(X9M>)%om^aw~hGXFf+1xiJUXG-
+fRpFQQs<gLzV#eJ#wUo#aIHMX@vndC~DIzCXDy4c}x!!@SYr}t8Xy|+751jJlWzO1T3M-
3`EGBv!Pur&X?P^MXdghV=&;qj~^vGe}&9`_)}`(ohy3Zl=}&b{%8xdtuxI|!N=Xo<)AiF0w@#C5<0x!{6aa6vA(AQxPaOZh)&mv*iBd
+6-y5{=svzsn-YxE(S6!O6z${6L$M(nd`Lv?o%H+YvP}zlEk=H+9uL7m{I)_uS{}9NZ`TxQ+AmFDKnIUrcv>aPE}b;j@EA4v9a)^I{6Q
<yGJCi>AA~+eihRo~~?<Z~YFqgw0HJySp%C<iOZc-dhzep6{NZ34E)zjr6~`j#GZg$$ck1$Ms6u9=DUd(l~#7_8O0sn8N+|VG!SRJaXa
<bL5c?ck0SN$P4tg+vkby$&C@pmr0c0+Xt0rezeiY^QBt!k9Sa2lg)>XHvNH3e51{UMw>f7_V8JswGs7x^kJpx{5ourIr=qv>C3!jVm3
E#?>D^c6yeBK_4nLeFIsW8zP?3xIe(<U$N7$^$tGLRCcn|ft<h$uMW&Z?_GbR>(<g+c+kehnthF$&{pZCCr;9{~M&VN?`iak+3-
=EB$yHogEX3c*%J8;R55s%)w-
cMrXNo1}=(Bqc!#s{2w?N*M(2$1SF5Iz})q*JX4Z$z{W^%_Z!v#w+Hwn6KulY(AQQ<b{_1pxkcV)SIL*=g}LnTDsGmqHYSY-UWL|Rn5*
ti{mikc<H?XrkGX_;|5VlQ!Uym326A}^DhI`4T_7z@h&Ctz#`n&)-
(uW2G)jzaW*P)h*<6ay3h000O8001EX1f#0rKmY&$KmY&$4FCWD0000000000fB^si003=ebYWy+bYU)Pb8l`?O928D0~7!N00;m803i
TYTKq<{1ONb37ytkZ00000000000001h0c!vN0Ap`%W@%?GYIARHP)h*<6ay3h000O8001EX=uMQ3V+{ZRRD%Ej5C8xG0000000000fB
{DZ003=oWMynFcV%g3XmoQfXf;qv1qJ{B000930|2rB007t$00000
"""
# The scores by JAX of two windows of noise.
BY_JAX = {
    "lstm": (
        LSTM_BY_JAX,
        [
            [0.32291632890701294, 0.33681610226631165, 0.3402675688266754],
            [0.32326415181159973, 0.3378358483314514, 0.33889999985694885],
        ],
    ),
    "gru": (
        GRU_BY_JAX,
        [
            [0.33335018157958984, 0.3437916934490204, 0.32285818457603455],
            [0.3311559855937958, 0.34106796979904175, 0.3277759552001953],
        ],
    ),
}


@pytest.mark.parametrize("kind", BY_JAX)
def test_a_file_that_jax_trained_has_the_answers_that_jax_computes_and_is_taken_apart(kind, tmp_path):
    from convert.interface.window_to_scores import arrange
    from convert.loading.load import load
    from convert.splitting.split import split

    file, scores = BY_JAX[kind]
    (tmp_path / "model.keras").write_bytes(base64.b85decode("".join(file.split())))
    trained = load(tmp_path / "model.keras")
    windows = np.random.default_rng(0).random((2, 4, 8, 8, 3), np.float32)
    assert (trained.framework, trained.notes) == ("keras", ())
    np.testing.assert_allclose(np.asarray(trained.model(windows)), scores, atol=1e-6)
    parts = split(arrange(trained.model).graph)
    assert parts.encoder is not None
    assert parts.step is not None
